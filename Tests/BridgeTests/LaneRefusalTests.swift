import Core
import MQTTCodec
import Store
import Testing

@testable import Bridge

@Suite("BridgeLane: what the upstream will not have")
struct LaneRefusalTests {
    @Test("a message that the upstream will never take is skipped and counted",
        arguments: [ReasonCode.topicNameInvalid, .payloadFormatInvalid, .packetTooLarge, .notAuthorized])
    func refused(reason: ReasonCode) {
        var fixture = LaneFixture()
        fixture.connect()
        fixture.append("a", "b")
        fixture.commit()
        let sent = fixture.send()
        #expect(fixture.puback(sent[0], reason) == .skipped(topic: "t"))
        #expect(fixture.puback(sent[1]) == .arrived)
        #expect(fixture.lane.depth == 0 && fixture.lane.statistics.refused == 1)
    }

    @Test("what was skipped is told once by reason, with the time that it spans, and not of a report of losses")
    func tellsSkipped() {
        var limits = BridgeLane.Limits()
        limits.reportTopic = "report"
        var fixture = LaneFixture(limits: limits)
        fixture.connect(maximumPacketSize: 30)
        for time in [5000, 3000, 4000] { fixture.lane.append(LaneFixture.message("\(time)", publishedAt: Int64(time))) }
        fixture.lane.append(LaneFixture.message(String(repeating: "x", count: 40), publishedAt: 7000))
        fixture.lane.append(LaneFixture.message("r", topic: "report", publishedAt: 1))
        fixture.lane.append(LaneFixture.message("late", expiresAt: fixture.now, publishedAt: 2))
        fixture.commit()
        let sent = fixture.send()
        #expect(sent.texts == ["5000", "3000", "4000", "r"])
        for publish in sent { _ = fixture.puback(publish, publish.message.topic == "t" && publish.message.payload == Array("3000".utf8) ? .success : .notAuthorized) }
        let spans = fixture.lane.takeSkipped().spans
        #expect(spans[.refused] == .init(messages: 2, oldest: Timestamp(milliseconds: 4000), newest: Timestamp(milliseconds: 5000)))
        #expect(spans[.tooLarge] == .init(messages: 1, oldest: Timestamp(milliseconds: 7000), newest: Timestamp(milliseconds: 7000)))
        #expect(fixture.lane.statistics.refused == 3 && fixture.lane.takeSkipped().isEmpty)
    }

    @Test("with Quota exceeded the lane pauses and sends the message again, as often as it takes")
    func quotaExceeded() {
        var fixture = LaneFixture()
        fixture.connect()
        fixture.append("a", "b", "c")
        fixture.commit()
        var sent = fixture.send()
        _ = fixture.puback(sent[0])
        for attempt in 0..<10 {
            guard case .postponed(let until) = fixture.puback(sent[attempt == 0 ? 1 : 0], .quotaExceeded) else {
                Issue.record("not postponed")
                return
            }
            #expect(until > fixture.now && until - fixture.now <= .seconds(60))
            #expect(fixture.send().isEmpty)
            fixture.now = until
            sent = fixture.send()
            #expect(sent.texts == ["b"])
        }
        #expect(fixture.lane.inFlightCount == 2)
    }

    @Test("a connection that ends after a postponed message sends again what stood behind it")
    func postponedThenLost() {
        var fixture = LaneFixture()
        fixture.connect()
        fixture.append("a", "b", "c")
        fixture.commit()
        let sent = fixture.send()
        _ = fixture.puback(sent[0], .quotaExceeded)
        fixture.lane.disconnected()
        fixture.connect()
        #expect(fixture.send().texts == ["a", "b", "c"])
    }

    @Test("a refusal without a known reason is tried again some times, then skipped")
    func unspecified() {
        var fixture = LaneFixture()
        fixture.connect()
        fixture.append("a")
        fixture.commit()
        var answers: [BridgeLane.Answer] = []
        for _ in 0..<fixture.lane.limits.maximumAttempts {
            fixture.now += .seconds(120)
            let sent = fixture.send()
            guard let first = sent.first else { break }
            answers.append(fixture.puback(first, .unspecifiedError))
        }
        #expect(answers.count == 5 && answers.last == .skipped(topic: "t"))
        #expect(fixture.lane.depth == 0)
    }

    @Test("what is larger than the upstream takes or has expired is skipped and counted")
    func skipped() {
        var fixture = LaneFixture()
        fixture.connect(maximumPacketSize: 30)
        fixture.append(String(repeating: "x", count: 40), "a")
        fixture.lane.append(LaneFixture.message("late", expiresAt: fixture.now))
        fixture.lane.append(LaneFixture.message("soon", expiresAt: fixture.now + .seconds(7)))
        fixture.commit()
        let sent = fixture.send()
        #expect(sent.texts == ["a", "soon"])
        #expect(sent.map(\.messageExpiryInterval) == [nil, 7])
        #expect(fixture.lane.statistics.tooLarge == 1 && fixture.lane.statistics.expired == 1)
    }
}
