import Glibc

/// How much of its life a medium has used, as far as it says so itself.
struct MediumWear: Sendable, Equatable {
    /// Percent of the life, the lower and the upper end of what the medium tells; 100…100 if it is over.
    var percent: ClosedRange<Int>

    /// Of an eMMC from 5.0 on, whose register EXT_CSD tells it in steps of a tenth for two kinds of cells (JESD84-B51 §7.4.64,
    /// DEVICE_LIFE_TIME_EST): Linux has the two in sysfs. The worse one counts; nil for another medium.
    ///
    /// - Parameter device: the name in /dev.
    static func of(device: String, sysfs: String = "/sys") -> MediumWear? {
        guard !device.contains("/"), device != "..", let text = text("\(sysfs)/block/\(device)/device/life_time") else { return nil }
        let steps = text.split(whereSeparator: { $0 == " " || $0 == "\n" }).compactMap { Int($0.dropFirst(2), radix: 16) }
        guard let step = steps.max(), (1...11).contains(step) else { return nil }
        return MediumWear(percent: step == 11 ? 100...100 : (step - 1) * 10...step * 10)
    }

    private static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    var text: String {
        percent.lowerBound == 100 ? "the medium's life is over, it says" : "\(percent.lowerBound) to \(percent.upperBound) % of the medium's life is used, it says"
    }
}
