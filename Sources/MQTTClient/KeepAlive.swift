/// When a client has to send PINGREQ, and when the other end is to be taken for dead (MQTT 5.0 §3.1.2.10).
///
/// Driven by a tick every half keep-alive: a packet is then sent at least once per keep-alive [MQTT-3.1.2-20], and a link on
/// which nothing arrives is given up between one and two keep-alives after the last packet.
struct KeepAlive {
    enum Step: Equatable {
        case nothing
        case ping
        /// Nothing has arrived for a keep-alive although it was asked for.
        case dead
    }

    private var hasSent = false
    private var hasReceived = false
    private var ticksSincePing: Int?

    mutating func sent() { hasSent = true }

    mutating func received() {
        hasReceived = true
        ticksSincePing = nil
    }

    mutating func tick() -> Step {
        defer {
            hasSent = false
            hasReceived = false
        }
        if let ticks = ticksSincePing {
            ticksSincePing = ticks + 1
            if ticks + 1 >= 2 { return .dead }
            return hasSent ? .nothing : .ping
        }
        guard !hasSent || !hasReceived else { return .nothing }
        ticksSincePing = 0
        return .ping
    }
}
