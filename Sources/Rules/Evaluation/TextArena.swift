/// Memory for the texts that an evaluation makes. Texts are added at the end and all forgotten at once.
struct TextArena: ~Copyable {
    /// More than this is given back when the texts are forgotten.
    static let keptCapacity = 64 * 1024

    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 256
        base = .allocate(byteCount: capacity, alignment: 1)
    }

    deinit { base.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    mutating func reset() {
        count = 0
        if capacity > Self.keptCapacity { resize(to: 256) }
    }

    /// Makes room for `size` more bytes, which may move all texts. False if that is more than ``RuleLimits/maxText`` in all.
    mutating func reserve(_ size: Int) -> Bool {
        guard size <= RuleLimits.maxText - count else { return false }
        if count + size > capacity { resize(to: max(count + size, capacity * 2)) }
        return true
    }

    /// The room that was made.
    var room: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base + count, count: capacity - count)
    }

    /// Takes so many bytes of the room.
    mutating func take(_ size: Int) { count += min(max(size, 0), capacity - count) }

    /// Appends bytes for which room has been made; they may lie in the arena.
    mutating func append(_ text: UnsafeRawBufferPointer) {
        guard let start = text.baseAddress, text.count <= capacity - count else { return }
        (base + count).copyMemory(from: start, byteCount: text.count)
        count += text.count
    }

    private mutating func resize(to newCapacity: Int) {
        let larger = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 1)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
        capacity = newCapacity
    }
}
