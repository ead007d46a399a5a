internal import CBoard
import Core
import Glibc

/// An open serial port: owns the descriptor, raw and non-blocking, and closes it.
///
/// The port is this process' own: another that opens or claims it is told that it is busy.
struct SerialPort: ~Copyable {
    /// For poll().
    let descriptor: Int32
    /// Turns the transceiver around; nil where the kernel or the hardware does, or there is none.
    let direction: RS485Switch?

    /// Opens a port and has the kernel switch the direction of RS-485 if `rs485` is given.
    ///
    /// - Parameter path: the device file; `line.serialPort` is not looked at.
    /// - Throws: what is wrong, for a person.
    init(path: String, line: SerialLine, rs485: RS485? = nil, direction: RS485Switch? = nil) throws(FieldBusError) {
        var settings = martlet_serial_settings()
        settings.baud_rate = UInt32(clamping: line.baudRate)
        settings.data_bits = Int32(clamping: line.dataBits)
        settings.parity = line.parity.boardParity
        settings.stop_bits = Int32(clamping: line.stopBits)
        let opened = martlet_serial_open(path, &settings)
        guard opened >= 0 else { throw .unavailable(what: path, detail: Self.message(-opened)) }
        if let problem = rs485?.apply(to: opened) {
            close(opened)
            throw .unavailable(what: path, detail: problem)
        }
        descriptor = opened
        self.direction = direction
    }

    deinit { close(descriptor) }

    /// What has come; empty if nothing has.
    ///
    /// - Throws: the port is gone: an adapter was pulled out.
    func read(max: Int = 4096) throws(FieldBusError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: max) { buffer, count in
            let result = Glibc.read(descriptor, buffer.baseAddress, max)
            count = Swift.max(0, result)
            if result < 0 { code = errno }
            if result == 0 { code = EIO }
        }
        switch code {
        case 0, EAGAIN, EINTR: return bytes
        default: throw .unavailable(what: "serial port", detail: Self.message(code))
        }
    }

    /// Writes all, waiting for room until `deadline`, and for the last bit to leave the port.
    ///
    /// - Throws: the port is gone, or does not send (flow control of an adapter).
    func write(_ bytes: [UInt8], deadline: MonotonicTime) throws(FieldBusError) {
        guard let direction else {
            try put(bytes, deadline: deadline)
            _ = martlet_serial_drain(descriptor)
            return
        }
        try direction.begin()
        do throws(FieldBusError) {
            try put(bytes, deadline: deadline)
        } catch {
            // The line is given back when the port is closed, and should not be left sending.
            try? direction.end(bytes: 0) { true }
            throw error
        }
        try direction.end(bytes: bytes.count, descriptor: descriptor)
    }

    private func put(_ bytes: [UInt8], deadline: MonotonicTime) throws(FieldBusError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
                continue
            }
            let code = errno
            guard code == EAGAIN || code == EINTR else {
                throw .unavailable(what: "serial port", detail: Self.message(code))
            }
            let left = deadline - SystemClock.monotonic()
            guard left > .zero else { throw .unavailable(what: "serial port", detail: "does not send") }
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&entry, 1, Int32(clamping: left.wholeMilliseconds + 1))
        }
    }

    static func message(_ code: Int32) -> String {
        switch code {
        case EBUSY, EWOULDBLOCK: "another program uses it"
        case EIO, ENODEV, ENXIO: "it is not there any more"
        case ENOTTY: "it is not a serial port"
        default: String(cString: strerror(code))
        }
    }
}

extension SerialLine.Parity {
    fileprivate var boardParity: martlet_parity {
        switch self {
        case .none: MARTLET_PARITY_NONE
        case .even: MARTLET_PARITY_EVEN
        case .odd: MARTLET_PARITY_ODD
        }
    }
}
