import Synchronization

/// A bounded queue from any thread to one reader, which is woken once and then takes everything that has come.
///
/// When it is full, ``post(_:)`` refuses the newest element and counts it: what was accepted earlier is never lost. How much an
/// element counts can be said; one that is larger than the whole mailbox is accepted when nothing else waits.
public final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var size = 0
        var wakeUpPending = false
        var refused: UInt64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let size: @Sendable (Element) -> Int
    private let wakeUp: @Sendable () -> Void

    /// - Parameters:
    ///   - capacity: the most that may wait, in the unit of `size`; at least 1.
    ///   - size: how much an element counts, 0 or more.
    ///   - wakeUp: called from the posting thread when the mailbox stops being empty; the reader then calls ``drain()``.
    public init(
        capacity: Int, size: @escaping @Sendable (Element) -> Int = { _ in 1 }, wakeUp: @escaping @Sendable () -> Void
    ) {
        precondition(capacity > 0)
        self.capacity = capacity
        self.size = size
        self.wakeUp = wakeUp
    }

    /// Adds an element; false if the mailbox is full and the element was refused.
    public func post(_ element: Element) -> Bool {
        let size = size(element)
        let (accepted, wake) = state.withLock { state in
            guard state.elements.isEmpty || state.size + size <= capacity else {
                state.refused += UInt64(size)
                return (false, false)
            }
            state.elements.append(element)
            state.size += size
            let wake = !state.wakeUpPending
            state.wakeUpPending = true
            return (true, wake)
        }
        if wake { wakeUp() }
        return accepted
    }

    /// Everything that waits, oldest first.
    public func drain() -> [Element] {
        state.withLock { state in
            state.wakeUpPending = false
            state.size = 0
            var taken: [Element] = []
            swap(&taken, &state.elements)
            return taken
        }
    }

    /// How much was refused since the start, in the unit of `size`.
    public var refused: UInt64 { state.withLock { $0.refused } }
}
