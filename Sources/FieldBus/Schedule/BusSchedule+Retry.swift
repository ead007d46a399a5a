public import Core

// Good devices that did not answer the last time: retries, and answers that may still come.

extension BusSchedule {
    /// A request that is tried again.
    struct Retry {
        /// Its group, as an index of ``BusSchedule/groups``.
        let group: Int
        /// How many tries are left after the next one.
        let left: Int
        /// It failed because the line could not be opened.
        let lineIsDown: Bool
    }

    /// The request of a poll went unanswered.
    ///
    /// - Parameter lineIsDown: the line could not be opened. The retry then lets nobody go before it, because no other
    ///   request could be made.
    /// - Returns: whether ``next(now:)`` has the same request made again; if not, the caller reports
    ///   ``failed(device:reason:started:now:)``, or ``answered(device:group:finished:)`` if it leaves out this request only.
    public mutating func unanswered(device index: Int, group: Int, lineIsDown: Bool, now: MonotonicTime) -> Bool {
        let device = devices[index]
        // A device that comes and goes gets no retries until it has answered for as long as its last back-off.
        let isSteady = device.recoveredAt.map { now - $0 >= device.backOff } ?? true
        let left = device.retry?.left ?? (isSteady ? device.retries : 0)
        guard left > 0 else {
            devices[index].retry = nil
            return false
        }
        devices[index].retry = Retry(group: device.groups.lowerBound + group, left: left - 1, lineIsDown: lineIsDown)
        return true
    }

    /// Has a device asked nothing new before then, because an answer may still come that would be taken for the next one;
    /// nil lets it go on. What is waited for is this device only.
    public mutating func hold(device: Int, until: MonotonicTime?) { devices[device].heldUntil = until ?? .zero }
}
