public import Core

/// The frequency of a line's rising edges: their number over the time between the first and the last, so that the resolution
/// is that of the kernel's time stamps, not of the window.
public struct FrequencyMeter: Sendable {
    /// After so many windows without an edge the frequency is 0.
    static let silentWindows = 10

    private let window: Duration
    /// The last edge of the windows before, from which the next is measured.
    private var reference: MonotonicTime?
    private var last: MonotonicTime?
    private var periods: UInt64 = 0
    private var frequency: Double = 0
    private let start: MonotonicTime

    /// - Parameter window: how often ``read(now:)`` is called.
    public init(window: Duration, start: MonotonicTime) {
        self.window = window
        self.start = start
    }

    /// Takes an edge; falling ones do not count.
    public mutating func take(_ edge: GPIOEdge) {
        guard edge.level else { return }
        if reference == nil { reference = edge.time } else { periods += 1 }
        last = edge.time
    }

    /// Hertz over the window that ends now.
    ///
    /// Between the edges of a slow signal the figure falls as it must, and is 0 after ten windows without one; nil before
    /// there is anything to tell.
    public mutating func read(now: MonotonicTime) -> Double? {
        let silence = (window * Self.silentWindows).wholeNanoseconds
        guard let reference, let last else { return (now - start).wholeNanoseconds >= silence ? 0 : nil }
        let span = (last - reference).wholeNanoseconds
        if periods > 0, span > 0 {
            frequency = Double(periods) * 1e9 / Double(span)
            self.reference = last
            periods = 0
            return frequency
        }
        let since = (now - last).wholeNanoseconds
        if since >= silence {
            self = FrequencyMeter(window: window, start: start)
            return 0
        }
        guard frequency > 0 else { return nil }
        return since > 0 ? min(frequency, 1e9 / Double(since)) : frequency
    }

    /// Begins anew after edges were lost.
    public mutating func restart() {
        reference = nil
        last = nil
        periods = 0
    }
}
