import Core
import MQTTCodec
import NIOCore
import TestSupport

@testable import Broker
@testable import MQTTServer

/// A client that sends a damaged conversation piece by piece, and judges what it gets back.
final class Attacker {
    let peer: Peer
    private var pieces: ArraySlice<[UInt8]>
    private var sent: [UInt8] = []
    private var isLost = false
    /// The version of the CONNECT that was accepted.
    private var version: ProtocolVersion?
    private var last: String?
    /// Topic aliases that the server has set.
    private var aliases: Set<UInt16> = []
    private(set) var broken: [String] = []

    init(_ server: ServerHarness, pieces: [[UInt8]]) throws {
        peer = try server.open()
        self.pieces = pieces[...]
    }

    var isDone: Bool { pieces.isEmpty || !peer.isOpen }

    /// - Parameter settles: whether the server's turn ends afterwards.
    func sendNext(settles: Bool) throws {
        guard let piece = pieces.popFirst(), peer.isOpen else { return }
        sent += piece
        try settles ? peer.send(piece) : peer.arrive(piece)
        try read()
    }

    func lose() throws {
        try read()
        isLost = isLost || peer.isOpen
        peer.lose()
    }

    /// Everything that the server says is well-formed and is something that a server says.
    func read() throws {
        if version == nil, let asked = SentStream.version(of: sent) { peer.version = asked }
        for packet in try peer.takePackets() {
            if version == nil, packet.type == .connack { version = peer.version }
            let text = try Packets.text(of: packet, version: peer.version)
            if packet.type == .publish { judge(publish: packet) }
            if last == nil, packet.type != .connack { broken.append("\(text) before CONNACK") }
            if [.connect, .subscribe, .unsubscribe, .pingreq].contains(packet.type) { broken.append("\(text) from a server") }
            last = text
        }
    }

    private func judge(publish packet: ReceivedPacket) {
        guard let publish = DeliveredPublish(packet, version: peer.version) else {
            broken.append("PUBLISH that cannot be read: \(packet)")
            return
        }
        // [MQTT-3.3.2-8], [MQTT-3.3.2-10] an alias that the client takes, set before it stands alone.
        if let alias = publish.topicAlias {
            if alias > peer.connection.topicAliasMaximum { broken.append("topic alias \(alias)") }
            if !publish.topic.isEmpty { aliases.insert(alias) } else if !aliases.contains(alias) {
                broken.append("topic alias \(alias) was not set")
            }
        } else if publish.topic.isEmpty {
            broken.append("PUBLISH without a topic")
        }
    }

    /// To be called when all has settled: it was let in or turned out for a reason.
    func judge(_ limits: BrokerLimits) {
        guard !isLost else { return }
        let stream = SentStream(sent, maximumPacketSize: limits.maximumPacketSize)
        let words = last?.split(separator: " ").map(String.init) ?? []
        let code = words.last.flatMap { UInt8($0) } ?? 0
        if peer.isOpen {
            if case .broken(let reason) = stream, peer.isTaking { broken.append("still open after \(reason)") }
            if stream == .ended { broken.append("still open after DISCONNECT") }
        } else if version == .v5, stream != .ended, words.first != "CONNACK", words.first != "DISCONNECT" || code < 0x80 {
            broken.append("closed without a reason after \(last ?? "nothing"), \(stream)")
        }
    }

    /// Bytes and packets that wait for or of this client are bounded.
    func checkBounds(_ limits: BrokerLimits) {
        let connection = peer.connection
        let partial = connection.partial?.readableBytes ?? 0
        let bound = connection.session == nil ? ServerContext.maximumConnectSize : limits.maximumPacketSize
        if partial > bound { broken.append("\(partial) bytes of a packet that is not all there") }
        // What is over it came in the piece that was being read.
        if connection.outbox.count > ServerContext.maximumBackedUp + 2_000 { broken.append("\(connection.outbox.count) to send") }
    }
}
