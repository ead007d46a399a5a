internal import CBoard
import Core
import Glibc

/// The machine's chips, by libgpiod.
public struct LibgpiodChips: GPIOChips {
    /// The most lines that one chip is asked about.
    private static let maxLines = 1024

    public init() {}

    /// Version 2 of libgpiod has the kernel do it; version 1 cannot ask for it.
    public var debounces: Bool { martlet_gpio_library_version() >= 2 }

    public func all() -> [GPIOChip] {
        let numbers = DirectoryListing.names(in: "/dev").compactMap { name in
            name.hasPrefix("gpiochip") ? Int(name.dropFirst("gpiochip".count)) : nil
        }
        return numbers.sorted().compactMap { describe(path: "/dev/gpiochip\($0)") }
    }

    public func request(
        _ chip: GPIOChip, offset: Int, _ settings: GPIOLineSettings, consumer: String
    ) throws(FieldBusError) -> any GPIOLine {
        LibgpiodLine(try LineRequest(path: chip.path, offset: offset, settings, consumer: consumer), place: "\(chip.name) line \(offset)")
    }

    /// nil for a device that is no chip, or may not be opened.
    private func describe(path: String) -> GPIOChip? {
        var opened: OpaquePointer?
        guard martlet_gpio_chip_open(path, &opened) == 0, let opened else { return nil }
        defer { martlet_gpio_chip_close(opened) }
        let label = martlet_gpio_chip_label(opened).map { String(cString: $0) } ?? ""
        let count = min(Self.maxLines, max(0, Int(martlet_gpio_chip_line_count(opened))))
        var name = [CChar](repeating: 0, count: 64)
        var consumer = name
        let lines = (0..<count).map { offset in
            let used = martlet_gpio_line_describe(opened, UInt32(offset), &name, &consumer, name.count)
            guard used >= 0 else { return GPIOChip.Line(name: "") }
            return GPIOChip.Line(name: Self.text(name), consumer: used > 0 ? Self.text(consumer) : nil)
        }
        return GPIOChip(path: path, label: label, lines: lines)
    }

    private static func text(_ bytes: [CChar]) -> String {
        String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Owns libgpiod's request of one line.
private struct LineRequest: ~Copyable {
    let pointer: OpaquePointer

    init(path: String, offset: Int, _ settings: GPIOLineSettings, consumer: String) throws(FieldBusError) {
        var line = martlet_gpio_line_settings()
        line.offset = UInt32(clamping: offset)
        switch settings.direction {
        case .input(let edges):
            line.direction = MARTLET_GPIO_INPUT
            line.edges = edges ? 1 : 0
        case .output(let initial):
            line.direction = MARTLET_GPIO_OUTPUT
            line.value = initial ? 1 : 0
        }
        line.bias = settings.bias.boardBias
        line.drive = settings.drive.boardDrive
        line.active_low = settings.activeLow ? 1 : 0
        line.debounce_us = UInt32(clamping: settings.debounce.wholeNanoseconds / 1000)
        line.event_buffer_size = 1024
        var request: OpaquePointer?
        let result = martlet_gpio_request_line(path, &line, consumer, &request)
        guard result == 0, let request else {
            throw .unavailable(what: "\(path) line \(offset)", detail: Self.message(-result))
        }
        pointer = request
    }

    deinit { martlet_gpio_release(pointer) }

    private static func message(_ code: Int32) -> String {
        switch code {
        case EBUSY: "it is in use"
        case EINVAL: "the chip has no such line, or cannot set it up in this way"
        case EACCES, EPERM: "it may not be used; the service's user has to be in the group gpio"
        default: String(cString: strerror(code))
        }
    }
}

private final class LibgpiodLine: GPIOLine {
    private let request: LineRequest
    private let place: String
    let descriptor: Int32

    init(_ request: consuming LineRequest, place: String) {
        descriptor = martlet_gpio_descriptor(request.pointer)
        self.request = request
        self.place = place
    }

    func level() throws(FieldBusError) -> Bool { try check(martlet_gpio_get_value(request.pointer)) != 0 }

    func set(_ level: Bool) throws(FieldBusError) { _ = try check(martlet_gpio_set_value(request.pointer, level ? 1 : 0)) }

    func edges() throws(FieldBusError) -> GPIOEdges {
        var events = [martlet_gpio_event](repeating: martlet_gpio_event(), count: Int(MARTLET_GPIO_MAX_EVENTS))
        let count = Int(try check(martlet_gpio_read_events(request.pointer, &events)))
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        // The kernel stamps edges with CLOCK_MONOTONIC, which stands still while the machine sleeps.
        let asleep = SystemClock.monotonic().nanoseconds - (Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
        let edges = events[..<count].map { event in
            GPIOEdge(
                level: event.value != 0, time: MonotonicTime(nanoseconds: Int64(clamping: event.monotonic_ns) + asleep),
                sequence: event.sequence == 0 ? nil : UInt64(event.sequence))
        }
        // The queue of the kernel's older interface holds 16 edges.
        return GPIOEdges(edges, mayHaveOverflowed: count >= 16 && edges[0].sequence == nil)
    }

    private func check(_ result: Int32) throws(FieldBusError) -> Int32 {
        if result < 0 { throw .unavailable(what: place, detail: String(cString: strerror(-result))) }
        return result
    }
}

extension GPIOBias {
    fileprivate var boardBias: martlet_gpio_bias {
        switch self {
        case .asIs: MARTLET_GPIO_BIAS_AS_IS
        case .disabled: MARTLET_GPIO_BIAS_DISABLED
        case .pullUp: MARTLET_GPIO_BIAS_PULL_UP
        case .pullDown: MARTLET_GPIO_BIAS_PULL_DOWN
        }
    }
}

extension GPIODrive {
    fileprivate var boardDrive: martlet_gpio_drive {
        switch self {
        case .pushPull: MARTLET_GPIO_DRIVE_PUSH_PULL
        case .openDrain: MARTLET_GPIO_DRIVE_OPEN_DRAIN
        case .openSource: MARTLET_GPIO_DRIVE_OPEN_SOURCE
        }
    }
}
