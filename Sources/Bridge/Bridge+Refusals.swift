import Core
import Logging
import MQTTClient
import MQTTCodec

// Messages over which the upstream ends the connection: sent one at a time until they are found, see ``RefusalSearch``.

extension Bridge {
    /// Sends the next message of the search, if nothing is on its way.
    func sendOne(_ connection: UpstreamConnection<Bridge>, now: MonotonicTime) -> Bool {
        guard connection.isWritable, form == nil || hasFormStarted, unacknowledgedCount == 0 else { return false }
        let suspects = refusals.suspects
        let isSent =
            refusals.isRetryDue && sendSuspect(suspects, connection, now: now)
            || sendOther(than: suspects, withTheirTopics: false, connection, now: now)
            || sendOther(than: suspects, withTheirTopics: true, connection, now: now)
            || sendSuspect(suspects, connection, now: now)
        if isSent {
            refusals.sent(now: now)
        } else if routes.allSatisfy({ $0.depth == 0 }) {
            refusals.nothingWaits()
            withholdNothing()
        }
        return isSent
    }

    /// The message that was alone on its way has arrived, or was refused in words.
    func searchAfterAnswer(to place: RefusalSearch.Place) {
        refusals.acknowledged(place)
        if !refusals.isActive { withholdNothing() }
    }

    private func withholdNothing() {
        for route in routes.indices {
            for lane in routes[route].lanes.indices { routes[route].lanes[lane].withhold(BridgeLane.Withheld()) }
        }
    }

    /// Sends the first of the suspects that is there to be sent.
    private func sendSuspect(
        _ suspects: [RefusalSearch.Place], _ connection: UpstreamConnection<Bridge>, now: MonotonicTime
    ) -> Bool {
        for suspect in suspects {
            for (route, lane) in turns(now) where routes[route].lanes[lane].name == suspect.lane {
                let others = suspects.filter { $0 != suspect }
                if sendOne(route, lane, withholding: .init(others, in: suspect.lane), connection, now: now) { return true }
            }
        }
        return false
    }

    private func sendOther(
        than suspects: [RefusalSearch.Place], withTheirTopics: Bool, _ connection: UpstreamConnection<Bridge>,
        now: MonotonicTime
    ) -> Bool {
        if withTheirTopics, suspects.isEmpty { return false }
        for (route, lane) in turns(now) {
            var withheld = BridgeLane.Withheld(suspects, in: routes[route].lanes[lane].name)
            if !withTheirTopics { withheld.topics = Set(suspects.map(\.topic)) }
            if sendOne(route, lane, withholding: withheld, connection, now: now) { return true }
        }
        return false
    }

    private func sendOne(
        _ route: Int, _ lane: Int, withholding withheld: BridgeLane.Withheld, _ connection: UpstreamConnection<Bridge>,
        now: MonotonicTime
    ) -> Bool {
        routes[route].lanes[lane].withhold(withheld)
        return send(route, lane, connection, reserve: 0, limit: 1, now: now)
    }

    /// The lanes that may send, in their turn.
    private func turns(_ now: MonotonicTime) -> [(route: Int, lane: Int)] {
        let live = routes.indices.filter { routes[$0].order == .liveFirst || !routes[$0].isBackfilling }
            .map { (route: $0, lane: routes[$0].lanes.count - 1) }
        let sealed = routes.indices.filter { routes[$0].isBackfilling }.map { (route: $0, lane: 0) }
        return (live + sealed).filter { backfillMeter.isOpen(now: now) || !routes[$0.route].lanes[$0.lane].hasBackfill }
    }

    /// PUBLISHes on their way, the form's own included.
    private var unacknowledgedCount: Int {
        routes.reduce(formInFlight.count) { $0 + $1.inFlightCount + $1.unconfirmedCount }
    }

    /// Of each lane the oldest message on its way.
    private var oldestUnacknowledged: [RefusalSearch.Place] {
        routes.flatMap(\.lanes).compactMap { lane in
            lane.oldestUnacknowledged.map { .init(lane: lane.name, sequence: $0.sequence, topic: $0.topic) }
        }
    }

    /// The message that is alone on its way while the search goes on.
    var searched: RefusalSearch.Place? { refusals.isActive && unacknowledgedCount == 1 ? oldestUnacknowledged.first : nil }

    /// The upstream's end of a connection may be its answer to a message. To be called before what was on its way is forgotten.
    ///
    /// - Returns: the message to be skipped.
    func searchAfterEnd(_ failure: UpstreamFailure, now: MonotonicTime) -> RefusalSearch.Place? {
        guard link != nil, failure.mayAnswerMessage else { return nil }
        let (wasActive, oldest, isAlone) = (refusals.isActive, oldestUnacknowledged, unacknowledgedCount == 1)
        // It works, so there is no need to wait longer each time.
        if refusals.hasProof, isAlone { reconnection.startOver() }
        let refused = refusals.ended(oldest: oldest, isAlone: isAlone, now: now)
        if refusals.isActive, !wasActive {
            logger.notice("the upstream ends each connection at the same message; they are sent one at a time")
        }
        return refused
    }

    /// What the upstream would not have, or a full route not take, since the last call, by priority.
    public func takeSkipped() -> [(priority: Int, messages: SkippedMessages)] {
        var sum = pastSkipped
        pastSkipped.removeAll()
        for index in routes.indices { sum[routes[index].priority, default: SkippedMessages()] += routes[index].takeSkipped() }
        return sum.filter { !$0.value.isEmpty }.sorted { $0.key > $1.key }.map { (priority: $0.key, messages: $0.value) }
    }

    /// Skips a message.
    func skip(_ place: RefusalSearch.Place) {
        var isSkipped = false
        for index in routes.indices { routes[index].withLane(place.lane) { isSkipped = $0.refuse(place.sequence) } }
        guard isSkipped else { return }
        lastSkippedTopic = place.topic
        logger.warning(
            "the upstream ends the connection over a message; it is skipped",
            metadata: ["topic": "\(place.topic)", "sequence": "\(place.sequence)"])
    }
}

extension BridgeLane.Withheld {
    fileprivate init(_ places: [RefusalSearch.Place], in lane: String) {
        sequences = Set(places.filter { $0.lane == lane }.map(\.sequence))
    }
}

extension UpstreamFailure {
    /// Whether the upstream has ended the connection, and it may be because of what it was sent.
    fileprivate var mayAnswerMessage: Bool {
        switch self {
        case .connection(.lost): true
        case .connection(.disconnected(let reason, _)):
            switch reason {
            case .unspecifiedError, .malformedPacket, .protocolError, .implementationSpecificError, .notAuthorized,
                .topicNameInvalid, .topicFilterInvalid, .payloadFormatInvalid, .packetTooLarge, .retainNotSupported, .qosNotSupported:
                true
            default: false
            }
        default: false
        }
    }
}
