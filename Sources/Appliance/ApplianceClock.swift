import Core
import Store
import Synchronization

/// Both clocks of the machine with what is known of them, for all threads.
final class ApplianceClock: Sendable {
    private struct State {
        var watch: ClockWatch
        /// Not yet taken by ``takeChange()``.
        var change = ClockWatch.Change.none
    }

    private let state: Mutex<State>

    /// - Parameter latest: the latest time that the box has seen before, if any.
    init(latest: Timestamp?, wall: Timestamp = SystemClock.wall(), monotonic: MonotonicTime = SystemClock.monotonic()) {
        state = Mutex(State(watch: ClockWatch(latest: latest, wall: wall, monotonic: monotonic)))
    }

    /// Looks at the clocks.
    func now() -> Moment { look(wall: SystemClock.wall(), monotonic: SystemClock.monotonic()) }

    func look(wall: Timestamp, monotonic: MonotonicTime) -> Moment {
        state.withLock { state in
            switch state.watch.look(wall: wall, monotonic: monotonic) {
            case .none: break
            case .stepped(let milliseconds): if state.change == .none { state.change = .stepped(milliseconds: milliseconds) }
            case let change: state.change = change
            }
            return Moment(wall: wall, monotonic: monotonic, isTimeKnown: state.watch.isTimeKnown)
        }
    }

    /// The most important thing that has happened to the wall clock since the last call.
    func takeChange() -> ClockWatch.Change {
        state.withLock { state in
            defer { state.change = .none }
            return state.change
        }
    }
}
