import Core
import MQTTClient
import MQTTCodec
import NIOCore
import NIOPosix
import Testing

@testable import martlet

/// Runs against a broker on the loopback interface whose faults are known.
@Suite("Load run")
struct LoadRunTests {
    private func plan(_ qos: QoS, messages: UInt32 = 1000) -> LoadPlan {
        LoadPlan(
            scenario: .pairs, version: .v311, publishers: 1, subscribers: 1, qos: qos,
            payload: 40, messages: messages, window: 20, maximumOutstanding: qos == .atMostOnce ? 100 : nil, rate: 0,
            brokerProcess: nil, tag: .random(in: 0...UInt32.max), stallTimeout: .seconds(1))
    }

    private func outcome(_ plan: LoadPlan, of broker: @Sendable @escaping () -> FaultyBroker) async throws -> LoadOutcome {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let server = try await loop.flatSubmit { broker().start(on: loop) }.get()
        let address = try #require(server.localAddress)
        do {
            let endpoint = ClientEndpoint(address: .socket(address))
            let outcome = try await loop.flatSubmit { LoadRun(plan: plan, to: endpoint, on: loop).start() }.get()
            try await server.close()
            return outcome
        } catch {
            try await server.close()
            throw error
        }
    }

    @Test("a broker that does its work gets no complaint", arguments: [QoS.atMostOnce, .atLeastOnce])
    func faultless(qos: QoS) async throws {
        let outcome = try await outcome(plan(qos)) { FaultyBroker() }
        #expect(outcome.isFaultless)
        #expect(outcome.messages == 1000)
        #expect(outcome.deliveries == 1000)
        #expect(outcome.latency.count == 1000)
        #expect(outcome.seconds > 0)
    }

    @Test("exactly what is dropped, repeated and late is counted", arguments: [QoS.atMostOnce, .atLeastOnce])
    func faults(qos: QoS) async throws {
        let outcome = try await outcome(plan(qos)) {
            FaultyBroker { number in
                switch number {
                case 10, 20, 999: []
                case 30, 31: [number, number]
                case 40: []
                case 45: [45, 40]
                default: [number]
                }
            }
        }
        #expect(outcome.messages == 1000)
        #expect(outcome.deliveries == 997)
        #expect(outcome.lost == 3)
        #expect(outcome.duplicates == 2)
        #expect(outcome.outOfOrder == 1)
        #expect(outcome.strange == 0)
        #expect(outcome.interruption != nil)
    }

    @Test("a duplicate of the last message is still seen")
    func lateDuplicate() async throws {
        let outcome = try await outcome(plan(.atMostOnce)) { FaultyBroker { $0 == 999 ? [999, 5] : [$0] } }
        #expect(outcome.lost == 0)
        #expect(outcome.duplicates == 1)
    }

    @Test("a message of an earlier round is not taken for one of this")
    func earlierRound() async throws {
        let outcome = try await outcome(plan(.atMostOnce)) { FaultyBroker { $0 == 7 ? [7, -1] : [$0] } }
        #expect(outcome.strange == 1)
        #expect(outcome.lost == 0)
        #expect(outcome.duplicates == 0)
        #expect(!outcome.isFaultless)
    }

    @Test("a message with a wrong topic, a damaged end or fewer bytes is not the one that was sent")
    func damage() async throws {
        let outcome = try await outcome(plan(.atMostOnce)) {
            FaultyBroker(damage: { number, packet in
                // The topic's last character stands before 40 bytes of payload.
                switch number {
                case 50: packet[packet.count - 1] ^= 1
                case 60: packet[packet.count - 41] ^= 1
                case 70:
                    packet.removeLast(4)
                    packet[1] -= 4
                default: break
                }
            })
        }
        #expect(outcome.strange == 3)
        #expect(outcome.deliveries == 997)
        #expect(outcome.lost == 3)
    }

    @Test("a closed loop whose limit is used up by lost messages ends, and only what was sent is lost")
    func exhaustedLimit() async throws {
        let outcome = try await outcome(plan(.atMostOnce)) { FaultyBroker { $0 < 100 ? [] : [$0] } }
        #expect(outcome.messages == 100)
        #expect(outcome.lost == 100)
        #expect(outcome.interruption != nil)
    }

    @Test("a missing acknowledgement ends the run, though nothing is lost")
    func missingAcknowledgement() async throws {
        let outcome = try await outcome(plan(.atLeastOnce)) { FaultyBroker(acknowledges: false) }
        #expect(outcome.messages == 20)
        #expect(outcome.lost == 0)
        #expect(outcome.interruption != nil)
    }

    @Test("a connection that the broker closes ends the run with what is lost")
    func closedConnection() async throws {
        let outcome = try await outcome(plan(.atLeastOnce)) { FaultyBroker(closesAt: 50) }
        #expect(outcome.interruption != nil)
        #expect(outcome.deliveries <= 50)
        #expect(outcome.lost == outcome.messages - outcome.deliveries)
        #expect(outcome.lost > 0)
    }

    @Test("there is nothing to measure at a broker that refuses the connection")
    func refused() async throws {
        await #expect(throws: BenchError.self) {
            try await outcome(plan(.atMostOnce)) { FaultyBroker(acceptsConnections: false) }
        }
    }

    @Test("a rate is kept: the run lasts as long as its messages do")
    func rate() async throws {
        var plan = plan(.atMostOnce, messages: 50)
        plan.rate = 500
        let outcome = try await outcome(plan) { FaultyBroker() }
        #expect(outcome.isFaultless)
        #expect(outcome.lag.count == 50)
        #expect(outcome.seconds >= 0.0979)
    }
}
