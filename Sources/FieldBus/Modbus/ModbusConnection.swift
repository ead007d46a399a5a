internal import CModbus
import Core
internal import Glibc

// One Modbus line: owns libmodbus' context and does one request at a time, blocking.
//
// libmodbus leaves three things to its user, which are done here:
//
// * It waits with select(), which corrupts memory for descriptors from 1024 on, and a box with thousands of connections has
//   such. A connection therefore takes one low descriptor when it is made, at start-up, and keeps it: what is opened later
//   is moved there with dup2(), and /dev/null holds the place meanwhile.
// * It takes whatever comes next for the answer, except for the transaction identifier of Modbus TCP. After a time-out or a
//   frame that does not fit, a TCP connection is opened anew; a serial line is drained, before each request too, and a device
//   that owes a late answer is not asked anything else before that answer must have come. If the answer comes while another
//   device is asked, its unit identifier gives it away (§2.2 of Modbus over Serial Line 1.02).
// * It does not keep the 3.5 characters of silence between two frames that Modbus RTU demands (Modbus over Serial Line 1.02
//   §2.5.1.1).

/// A Modbus line. Not for several threads at once; closes what is open when it goes away.
public struct ModbusConnection: ~Copyable {
    /// One request, to know a repetition from another one.
    struct Request: Equatable {
        var unitIdentifier: Int
        var function: Int
        var address: Int
        var quantity: Int
    }

    let context: OpaquePointer
    /// The low descriptor: the line, or /dev/null while it is closed.
    let descriptor: Int32
    let transport: ModbusTransport
    /// nil for Modbus TCP.
    let timing: SerialTiming?
    let registerBuffer: UnsafeMutableBufferPointer<UInt16>
    private let bitBuffer: UnsafeMutableBufferPointer<UInt8>
    public private(set) var isOpen = false
    public private(set) var opens: UInt64 = 0
    /// The least time between the end of one exchange and the next request.
    public var pause = Duration.zero
    /// When the last request began, waits before it not included.
    private(set) var lastRequest = MonotonicTime.zero
    /// When the last byte was on the line.
    var lastActivity = MonotonicTime.zero
    /// Stands between libmodbus and the line while somebody traces.
    var tap: LineTap?
    /// nil unless a GPIO line turns the transceiver of the open line around.
    var switched: SwitchedLine?
    /// Frames of the exchange at hand from before the line was closed over it.
    private var framesBeforeClose: [TracedFrame] = []
    private var onExchange: ((_ unitIdentifier: Int, TracedExchange) -> Void)?
    /// By unit identifier (so no more than 256), the last request on a serial line that timed out, and until when its
    /// answer may still come. Of several devices, because others are asked between the tries of one.
    var owed: [Int: (request: Request, until: MonotonicTime)] = [:]

    /// What can fail of the initialization, by itself: the compiler of Swift 6.2 does not get over an error thrown while
    /// only some properties of a noncopyable struct have their values.
    private struct Resources {
        let context: OpaquePointer
        let descriptor: Int32
        let timing: SerialTiming?

        init(_ transport: ModbusTransport) throws(FieldBusError) {
            let context: OpaquePointer?
            let timing: SerialTiming?
            switch transport {
            case .tcp(let host, let port):
                context = modbus_new_tcp_pi(host, "\(port)")
                timing = nil
            case .rtu(let line):
                context = ModbusConnection.newRTU(line)
                timing = SerialTiming(line)
            case .rtuOverTCP:
                context = ModbusConnection.newRTU(SerialLine(serialPort: ""))
                timing = .behindNetwork
            }
            guard let context else {
                throw .unavailable(what: "libmodbus", detail: "does not accept \(transport)")
            }
            let descriptor = Glibc.open("/dev/null", O_RDWR | O_CLOEXEC)
            guard descriptor >= 0, descriptor < FD_SETSIZE else {
                if descriptor >= 0 { Glibc.close(descriptor) }
                modbus_free(context)
                throw .unavailable(
                    what: "file descriptor for a Modbus line", detail: "none below \(FD_SETSIZE) is free")
            }
            self.context = context
            self.descriptor = descriptor
            self.timing = timing
        }
    }

    /// Opens nothing yet: the first request does.
    ///
    /// - Throws: ``FieldBusError/unavailable(what:detail:)`` when the process has no descriptor left that libmodbus can use.
    public init(_ transport: ModbusTransport) throws(FieldBusError) {
        self.init(try Resources(transport), transport)
    }

    /// The name stands for no file: libmodbus opens nothing, it is handed what is open. The rest tells it how long a frame
    /// takes, which it has to know of a line whose direction is switched.
    private static func newRTU(_ line: SerialLine) -> OpaquePointer? {
        let parity = line.parity == .none ? "N" : line.parity == .even ? "E" : "O"
        let context = modbus_new_rtu(
            "line", Int32(clamping: line.baudRate), CChar(UInt8(parity.utf8.first ?? 0)), Int32(clamping: line.dataBits),
            Int32(clamping: line.stopBits))
        if let context, line.rs485Line != nil { SwitchedLine.install(in: context) }
        return context
    }

    private init(_ resources: Resources, _ transport: ModbusTransport) {
        context = resources.context
        descriptor = resources.descriptor
        timing = resources.timing
        self.transport = transport
        registerBuffer = .allocate(capacity: 125)
        registerBuffer.initialize(repeating: 0)
        bitBuffer = .allocate(capacity: 2000)
        bitBuffer.initialize(repeating: 0)
    }

    deinit {
        switched?.remove()
        modbus_free(context)
        Glibc.close(descriptor)
        registerBuffer.deallocate()
        bitBuffer.deallocate()
    }

    /// What the last read of registers brought: as many as it asked for.
    public func registers(_ quantity: Int) -> UnsafeBufferPointer<UInt16> {
        UnsafeBufferPointer(rebasing: registerBuffer[..<min(max(0, quantity), registerBuffer.count)])
    }

    /// What the last read of coils or discrete inputs brought, one byte each.
    public func bits(_ quantity: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: bitBuffer[..<min(max(0, quantity), bitBuffer.count)])
    }

    /// Reads into ``registers(_:)`` or ``bits(_:)`` (functions 1…4).
    ///
    /// - Parameter timeout: for the whole answer; on a serial line the time that the frames take is added.
    public mutating func read(
        _ area: ModbusArea, unit: Int, startingAddress: Int, quantity: Int, timeout: Duration
    ) throws(RequestFailure) {
        guard quantity >= 1, quantity <= area.maxQuantity else { throw .badFrame("quantity \(quantity)") }
        let address = Int32(clamping: startingAddress)
        let bytes = area.holdsBits ? (quantity + 7) / 8 : 2 * quantity
        let request = Request(
            unitIdentifier: unit, function: Int(area.function), address: startingAddress, quantity: quantity)
        try begin(request, bytesOnLine: 8 + 5 + bytes, timeout: timeout)
        let result =
            area.holdsBits
            ? cmodbus_read_bits(context, area.function, address, Int32(quantity), bitBuffer.baseAddress)
            : cmodbus_read_registers(context, area.function, address, Int32(quantity), registerBuffer.baseAddress)
        try end(request, result, timeout: timeout)
        if Int(result) != quantity { throw .badFrame("\(result) values instead of \(quantity)") }
    }

    // MARK: One request

    mutating func begin(_ request: Request, bytesOnLine: Int, timeout: Duration) throws(RequestFailure) {
        switch transport {
        case .tcp: if isOpen, hasUnexpectedInput() { close() }
        case .rtuOverTCP: if isOpen, isHungUp() { close() }
        case .rtu: break
        }
        if !isOpen { try open(timeout: timeout) }
        var limit = timeout
        if let timing {
            limit += timing.duration(ofCharacters: bytesOnLine)
            awaitSilence(timing, before: request, timeout: limit)
        }
        if pause > .zero { SystemClock.sleep(until: lastActivity + pause) }
        _ = cmodbus_set_unit_identifier(context, Int32(clamping: request.unitIdentifier))
        _ = cmodbus_set_response_timeout(context, max(1000, limit.wholeNanoseconds / 1000))
        _ = tap?.takeFrames()
        framesBeforeClose = []
        lastRequest = SystemClock.monotonic()
    }

    mutating func end(_ request: Request, _ result: Int32, timeout: Duration) throws(RequestFailure) {
        if timing != nil || pause > .zero { lastActivity = SystemClock.monotonic() }
        let problem = switched?.takeProblem()
        if result >= 0, problem == nil {
            report(request, nil)
            return
        }
        let failure: RequestFailure
        if let problem {
            close()
            failure = .broken("\(problem)")
        } else {
            failure = failed(request, result, timeout: timeout)
        }
        report(request, failure)
        throw failure
    }

    private mutating func failed(_ request: Request, _ result: Int32, timeout: Duration) -> RequestFailure {
        let exception = Int(cmodbus_exception(result))
        if exception > 0 { return .exception(exception) }
        let message = cmodbus_message(result).map { String(cString: $0) } ?? "error \(-result)"
        if result == -ETIMEDOUT {
            if let timing {
                owed[request.unitIdentifier] = (request, lastActivity + timeout)
                drain(timing)
            } else {
                close()
            }
            return .timeout
        }
        if cmodbus_is_bad_frame(result) != 0 {
            if let timing {
                // A wrong check sum is that of the answer, since the unit identifier was right. Whatever else came was not
                // the answer, which may be on its way.
                if cmodbus_is_wrong_check_sum(result) == 0 {
                    let limit = timeout + timing.duration(ofCharacters: 512)
                    owed[request.unitIdentifier] = (request, lastRequest + limit + timeout)
                }
                drain(timing)
            } else {
                close()
            }
            return .badFrame(message)
        }
        close()
        return .broken(message)
    }

    /// Whether the other side closed the connection, or sent something that nobody asked for: either way the next answer
    /// could not be trusted.
    private func hasUnexpectedInput() -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return !(count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    }

    /// Whether the other side closed the connection.
    private func isHungUp() -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
    }

    // MARK: Opening and closing

    private mutating func open(timeout: Duration) throws(RequestFailure) {
        switch transport {
        case .tcp(let host, let port):
            let socket = try TCPClientSocket.open(host: host, port: port, timeout: timeout)
            try take(socket)
        case .rtuOverTCP(let host, let port):
            // libmodbus writes to what it takes for a serial port, with a signal if the peer has gone.
            signal(SIGPIPE, SIG_IGN)
            let socket = try TCPClientSocket.open(host: host, port: port, timeout: timeout)
            try take(socket)
        case .rtu(let line):
            let copy: Int32
            let direction: RS485Switch?
            do throws(FieldBusError) {
                let port = try line.open()
                direction = port.direction
                copy = fcntl(port.descriptor, F_DUPFD_CLOEXEC, 0)
            } catch {
                throw .openFailed("\(error)")
            }
            guard copy >= 0 else { throw .openFailed("\(line.serialPort): errno \(errno)") }
            try take(copy)
            switched = direction.map { SwitchedLine($0, context: context, port: descriptor) }
            switched?.tap = tap
        }
        isOpen = true
        opens += 1
    }

    /// Moves a descriptor to the low one.
    private mutating func take(_ opened: Int32) throws(RequestFailure) {
        let result = dup2(opened, descriptor)
        let code = errno
        Glibc.close(opened)
        guard result >= 0 else { throw .openFailed("dup2: errno \(code)") }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        modbus_set_socket(context, descriptor)
        if onExchange != nil { insertTap() }
    }

    // MARK: Trace

    /// Has every exchange from now on reported with its frames, as they were on the line; nil ends that. Costs a thread
    /// and a copy of every byte while it is on.
    public mutating func trace(_ receive: ((_ unitIdentifier: Int, TracedExchange) -> Void)?) {
        let wasTraced = onExchange != nil
        onExchange = receive
        guard isOpen, wasTraced != (receive != nil) else { return }
        if receive != nil { insertTap() } else { removeTap() }
    }

    private mutating func insertTap() {
        guard let tap = LineTap(line: descriptor) else { return }
        dup2(tap.near, descriptor)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        tap.start()
        self.tap = tap
        switched?.tap = tap
    }

    private mutating func removeTap() {
        guard let tap else { return }
        dup2(tap.line, descriptor)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        self.tap = nil
        switched?.tap = nil
        framesBeforeClose = tap.takeFrames()
        tap.end()
    }

    private func report(_ request: Request, _ failure: RequestFailure?) {
        guard let onExchange else { return }
        tap?.awaitSent()
        var frames = framesBeforeClose + (tap?.takeFrames() ?? [])
        for index in frames.indices {
            frames[index].text = FrameText(
                frames[index].bytes, framing: transport.framing, isRequest: frames[index].direction == .sent).text
        }
        let problem = failure.flatMap { $0.isAnswer ? nil : $0.detail }
        onExchange(request.unitIdentifier, TracedExchange(frames: frames, failure: problem))
    }

    /// Closes the line; the next request opens it again.
    public mutating func close() {
        guard isOpen else { return }
        isOpen = false
        removeTap()
        switched?.remove()
        switched = nil
        modbus_set_socket(context, -1)
        let null = Glibc.open("/dev/null", O_RDWR | O_CLOEXEC)
        if null >= 0 {
            dup2(null, descriptor)
            Glibc.close(null)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        } else {
            // No descriptor left: at least tell the other side.
            shutdown(descriptor, Int32(SHUT_RDWR))
        }
    }
}

extension ModbusArea {
    /// The function that reads the area.
    var function: Int32 {
        switch self {
        case .coil: Int32(CMODBUS_COIL)
        case .discreteInput: Int32(CMODBUS_DISCRETE_INPUT)
        case .holdingRegister: Int32(CMODBUS_HOLDING_REGISTER)
        case .inputRegister: Int32(CMODBUS_INPUT_REGISTER)
        }
    }
}
