import Configuration
import Core
import Testing

@testable import Appliance

@Suite("The size of the cache")
struct CacheSizeTests {
    private static let gibibyte: Int64 = 1 << 30

    private func bytes(_ size: MartletConfiguration.Cache.Size, _ disk: DiskSpace?, share: Double = 0.6, rate: Double = 0) -> Int64 {
        CacheSize.of(size, on: disk, share: share, need: .init(bytesPerSecond: rate)).bytes
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

    @Test("is never less than what its file takes already, however full the disk is")
    func neverShrinksBelowItsFile() {
        let full = DiskSpace(total: 32 << 20, used: 32 << 20, available: 0, own: 5 << 20)
        #expect(bytes(.auto, full) == 5 << 20)
        let crowded = DiskSpace(total: 32 << 20, used: 31 << 20, available: 1 << 20, own: 10 << 20)
        #expect(bytes(.auto, crowded) == 10 << 20)
    }

    @Test("is the board's share to begin with on a disk that is full, and what is right once that has lasted ten minutes")
    func fullAtStart() {
        let full = DiskSpace(total: 100 << 20, used: 100 << 20, available: 0, own: 5 << 20)
        let measured = CacheSize.of(.auto, on: full, share: 0.6, need: .init())
        var window = CacheSizeWindow()
        let start = MonotonicTime(nanoseconds: 1)
        #expect(window.update(measured.atStart(on: full, share: 0.6), now: start).bytes == blocks(60 * 1_048_576))
        #expect(window.update(measured, now: start + .seconds(599)).bytes == blocks(60 * 1_048_576))
        #expect(window.update(measured, now: start + .seconds(600)).bytes == 5 << 20)
        let free = DiskSpace(total: 100 << 20, used: 20 << 20, available: 80 << 20, own: 5 << 20)
        let roomy = CacheSize.of(.auto, on: free, share: 0.6, need: .init())
        #expect(roomy.atStart(on: free, share: 0.6) == roomy)
        #expect(window.update(roomy, now: start + .seconds(601)) == roomy)
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
