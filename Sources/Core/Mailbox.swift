import Synchronization

/// A bounded queue from any thread to one reader, which is woken once and then takes everything that has come.
///
/// When it is full, ``post(_:)`` refuses the newest element and counts it: what was accepted earlier is never lost.
public final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var wakeUpPending = false
        var refused: UInt64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let wakeUp: @Sendable () -> Void

    /// - Parameters:
    ///   - capacity: the most elements that may wait, at least 1.
    ///   - wakeUp: called from the posting thread when the mailbox stops being empty; the reader then calls ``drain()``.
    public init(capacity: Int, wakeUp: @escaping @Sendable () -> Void) {
        precondition(capacity > 0)
        self.capacity = capacity
        self.wakeUp = wakeUp
    }

    /// Adds an element; false if the mailbox is full and the element was refused.
    public func post(_ element: Element) -> Bool {
        let (accepted, wake) = state.withLock { state in
            guard state.elements.count < capacity else {
                state.refused += 1
                return (false, false)
            }
            state.elements.append(element)
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
            var taken: [Element] = []
            swap(&taken, &state.elements)
            return taken
        }
    }

    /// How many elements were refused since the start.
    public var refused: UInt64 { state.withLock { $0.refused } }
}
