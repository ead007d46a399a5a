import Configuration
import Testing

@testable import Appliance

@Suite("The size of the cache")
struct CacheSizeTests {
    private static let gibibyte: Int64 = 1 << 30

    private func bytes(_ size: MartletConfiguration.Cache.Size, _ disk: DiskSpace?, share: Double = 0.6, rate: Double = 0) -> Int64 {
        CacheSize.of(size, on: disk, share: share, bytesPerSecond: rate).bytes
    }

    /// As the blocks of a file of so many bytes.
    private func blocks(_ file: Double) -> Int64 { Int64(file / CacheSize.fileOverhead) }

    @Test("is the board's share of the disk, less what else is on it")
    func share() {
        let disk = DiskSpace(total: 10 * Self.gibibyte, used: 2 * Self.gibibyte, available: 8 * Self.gibibyte)
        #expect(bytes(.auto, disk) == blocks(4 * Double(Self.gibibyte)))
    }

    @Test("does not shrink because the cache's own file has grown")
    func own() {
        let disk = DiskSpace(total: 10 * Self.gibibyte, used: 5 * Self.gibibyte, available: 5 * Self.gibibyte, own: 3 * Self.gibibyte)
        #expect(bytes(.auto, disk) == blocks(4 * Double(Self.gibibyte)))
    }

    @Test("is never more than what is free, with the own file and without a reserve")
    func free() {
        let disk = DiskSpace(total: 10 * Self.gibibyte, used: 0, available: Self.gibibyte)
        #expect(bytes(.auto, disk) == blocks(Double(Self.gibibyte - CacheSize.reserve)))
    }

    @Test("leaves three quarters of a small disk free")
    func small() {
        let disk = DiskSpace(total: 16 << 20, used: 0, available: 16 << 20)
        #expect(bytes(.auto, disk) == blocks(4 * 1_048_576))
    }

    @Test("is a tenth of what is free where other things take the share already, and 1 MiB at least")
    func crowded() {
        let disk = DiskSpace(total: 10 * Self.gibibyte, used: 7 * Self.gibibyte, available: 3 * Self.gibibyte)
        #expect(bytes(.auto, disk) == blocks(Double(3 * Self.gibibyte - CacheSize.reserve) / 10))
        #expect(bytes(.auto, DiskSpace(total: Self.gibibyte, used: Self.gibibyte, available: 0)) == 1 << 20)
    }

    @Test("is what the traffic brings in the given time, as far as the disk has it")
    func duration() {
        let disk = DiskSpace(total: 10 * Self.gibibyte, used: 0, available: 10 * Self.gibibyte)
        #expect(bytes(.duration(.seconds(86_400)), disk, rate: 1000) == 86_400_000)
        #expect(bytes(.duration(.seconds(86_400)), disk, rate: 1e9) == bytes(.auto, disk))
        #expect(bytes(.duration(.seconds(86_400)), disk, rate: 0) == bytes(.auto, disk))
    }

    @Test("is what the file says if that is a number of bytes, whatever the disk has")
    func configured() {
        #expect(bytes(.bytes(5 << 20), DiskSpace(total: 1 << 20, used: 0, available: 1 << 20)) == 5 << 20)
    }

    @Test("is found for a directory that is not there yet, from the one above it")
    func missingDirectory() throws {
        let here = try #require(DiskSpace.of(directory: "/tmp"))
        let later = try #require(DiskSpace.of(directory: "/tmp/not-there/not-there-either"))
        #expect(here.total == later.total && here.total > 0 && later.own == 0)
    }
}
