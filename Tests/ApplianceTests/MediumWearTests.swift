import Glibc
import TestSupport
import Testing

@testable import Appliance

@Suite("The wear of a medium")
struct MediumWearTests {
    @Test("an eMMC tells it in tenths, and the worse kind of cells counts", arguments: [
        ("0x01 0x03\n", MediumWear(percent: 20...30)), ("0x0b 0x01\n", MediumWear(percent: 100...100)), ("0x00 0x00\n", nil),
        ("garbage", nil), ("", nil),
    ])
    func lifeTime(text: String, expected: MediumWear?) {
        let folder = TestFolder()
        for part in ["block", "block/mmcblk0", "block/mmcblk0/device"] { mkdir("\(folder.path)/\(part)", 0o700) }
        folder.write("block/mmcblk0/device/life_time", text)
        #expect(MediumWear.of(device: "mmcblk0", sysfs: folder.path) == expected)
        #expect(MediumWear.of(device: "sda", sysfs: folder.path) == nil)
    }
}
