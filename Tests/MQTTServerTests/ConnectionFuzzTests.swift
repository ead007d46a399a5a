import Core
import MQTTCodec
import TestSupport
import Testing

@testable import Broker
@testable import MQTTServer

/// Whole connections against a broker, several at a time; see ``FuzzSeeds`` for longer runs.
@Suite("Fuzzed connections")
struct ConnectionFuzzTests {
    private static let versions = ["3.1", "3.1.1", "5.0"]
    private static let conversations = versions.map { Corpus.conversations($0) }
    private static let packets = versions.flatMap { Corpus.packets($0) }

    @Test("damaged conversations leave the broker whole, its memory bounded and other clients served")
    func fuzzed() throws {
        for seed in FuzzSeeds("connections", count: 150) {
            let round = try Round(seed: seed)
            let broken = try round.run()
            #expect(broken == [], "MARTLET_FUZZ_SEED=\(seed)")
            if !broken.isEmpty { break }
        }
    }

    private struct Weak {
        weak var connection: MQTTConnection?
    }

    /// One broker with narrow limits, some attackers, one client that must not notice, and one that takes all they publish.
    private final class Round {
        private let server: ServerHarness
        private let witness: Peer
        private let audience: Peer
        private var mutator: PacketMutator
        private var attackers: [Attacker] = []
        private var echoes = 0
        private var broken: [String] = []

        init(seed: UInt64) throws {
            mutator = PacketMutator(seed: seed, donors: ConnectionFuzzTests.packets)
            server = ServerHarness(limits: Round.limits)
            witness = try server.open().connect("witness")
            try witness.subscribe("witness", qos: .atLeastOnce)
            audience = try server.open().connect("audience", version: .v311)
            try audience.subscribe("fuzz/#", qos: .exactlyOnce)
        }

        private static var limits: BrokerLimits {
            var limits = BrokerLimits()
            limits.maximumPacketSize = 2_000
            limits.maximumInFlight = 4
            limits.maximumQueuedMessages = 20
            limits.maximumQueuedBytes = 6_000
            limits.maximumOutboxBytes = 8_000
            limits.maximumSessionExpiryInterval = 100
            limits.maximumSessions = 8
            limits.maximumSubscriptions = 6
            limits.maximumRetainedMessages = 5
            limits.maximumRetainedBytes = 2_000
            limits.maximumTopicLevels = 6
            limits.topicAliasMaximum = 5
            limits.receiveMaximum = 10
            return limits
        }

        func run() throws -> [String] {
            for _ in 0..<(1 + mutator.random.below(5)) { try add() }
            while broken.isEmpty, let attacker = attackers.filter({ !$0.isDone }).randomElement(using: &mutator.random) {
                try step(attacker)
            }
            server.settle()
            for attacker in attackers {
                attacker.peer.isTaking = true
                server.settle()
                try attacker.read()
                attacker.judge(server.broker.limits)
                try attacker.lose()
                broken += attacker.broken
            }
            check()
            try echo()
            if broken.isEmpty { checkEnd() }
            return broken
        }

        private func add() throws {
            let all = ConnectionFuzzTests.conversations[mutator.random.below(3)]
            var conversation = all[mutator.random.below(all.count)]
            // Most say CONNECT as it should be.
            let connect = conversation.removeFirst()
            conversation = mutator.damaged(conversation)
            conversation.insert(mutator.random.once(in: 5) ? mutator.damaged(connect) : connect, at: 0)
            attackers.append(try Attacker(server, pieces: mutator.pieces(conversation)))
        }

        private func step(_ attacker: Attacker) throws {
            switch mutator.random.below(60) {
            case 0: try attacker.lose()
            case 1: attacker.peer.isTaking.toggle()
            case 2: server.tick(after: .seconds(mutator.random.below(5)))
            case 3, 4: try echo()
            case 5 where attackers.count < 8: try add()
            default: try attacker.sendNext(settles: !mutator.random.once(in: 3))
            }
            attacker.checkBounds(server.broker.limits)
            broken += attacker.broken
            if mutator.random.once(in: 4) { check() }
        }

        private func check() { broken += server.broker.checkInvariants() }

        private func echo() throws {
            server.settle()
            echoes += 1
            try witness.publish("witness", "\(echoes)", qos: .atLeastOnce, packetIdentifier: UInt16(echoes))
            let expected = ["PUBACK \(echoes) 0", "PUBLISH \(echoes) witness \(echoes)"]
            // Somebody may have subscribed to everything: the order of the two is the same all the same.
            let found = try witness.take()
            if found.sorted() != expected { broken.append("the witness got \(found)") }
            try witness.send(Packets.acknowledge(.puback, UInt16(echoes), version: .v5))
            if try audience.take().contains(where: { !$0.hasPrefix("PUBLISH") }) { broken.append("the audience got more") }
        }

        /// Nothing remains of them but what they retained.
        private func checkEnd() {
            server.tick(after: .seconds(200))
            let names = server.broker.sessions.keys.sorted()
            if names != ["audience", "witness"] { broken.append("sessions remain: \(names)") }
            check()
            let connections = attackers.map { Weak(connection: $0.peer.connection) }
            attackers = []
            server.pass(seconds: 10)
            if connections.contains(where: { $0.connection != nil }) { broken.append("a connection was not given back") }
            let waiting = server.broker.sessions.values.reduce(0) { $0 + $1.queue.byteCount + ($1.client?.outboxBytes ?? 0) }
            if server.broker.account.byteCount != waiting {
                broken.append("\(waiting) bytes wait, counted \(server.broker.account.byteCount)")
            }
        }
    }
}
