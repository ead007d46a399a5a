import Glibc

/// Memory whose last byte is followed by a page that must not be touched: a decoder that reads one byte too far is
/// ended by the machine, in optimised builds too.
final class GuardedBytes {
    private let base: UnsafeMutableRawPointer
    private let page = Int(getpagesize())
    private let capacity: Int

    init(capacity: Int) {
        self.capacity = (capacity + page - 1) / page * page
        base = mmap(nil, self.capacity + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        precondition(base != MAP_FAILED && mprotect(base + self.capacity, page, PROT_NONE) == 0)
    }

    deinit { munmap(base, capacity + page) }

    /// Calls `body` with a copy of the bytes that ends at the guard page.
    func with<R>(_ bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        precondition(bytes.count <= capacity)
        let start = base + capacity - bytes.count
        let copy = UnsafeMutableRawBufferPointer(start: start, count: bytes.count)
        copy.copyBytes(from: bytes)
        return body(UnsafeRawBufferPointer(copy))
    }
}
