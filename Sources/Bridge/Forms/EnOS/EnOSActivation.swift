import Core
import Payload
import Store

// Dynamic activation: boxes of a product leave the factory with the product's secret, and each is given its own at its first
// connection.
//
//     CONNECT, signed with the product's secret ──> thing/activate/info: the gateway's secret
//          ──> kept on disk ──> info_reply ──> a new connection, signed with the gateway's secret
//
// It works once: an answer before the secret is on disk could lose it for good.

/// An activation under way.
struct EnOSActivation {
    static let tail = "thing/activate/info"
    /// The wait before what could not be kept is tried again.
    static let retryInterval = Duration.seconds(10)

    /// What the platform has given, and how it wants to be answered.
    struct Gift {
        var secret: [UInt8]
        var replyTopic: String
        var identifier: MessageIdentifier
    }

    var gift: Gift?
    /// When the gift is to be kept once more.
    var retryAt: MonotonicTime?
    /// It is kept and answered: the connection has done its work.
    var isOver = false
}

extension EnOSForm {
    /// `thing/activate/info`
    func activated(_ payload: UnsafeRawBufferPointer, replyTopic: String, now: Moment) -> [FormEffect] {
        guard activation != nil, activation?.isOver == false else { return [] }
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return log.warn("activation", "EnOS sent an activation that cannot be read: \(error)")
        }
        guard let params = scanner.member("params", of: JSONScanner.root),
            scanner.member("productKey", of: params).flatMap({ scanner.string($0) }) == gateway.productKey,
            scanner.member("deviceKey", of: params).flatMap({ scanner.string($0) }) == gateway.deviceKey,
            let secret = scanner.member("deviceSecret", of: params).flatMap({ scanner.string($0) }),
            (1...255).contains(secret.utf8.count), secret.utf8.allSatisfy({ (33...126).contains($0) })
        else { return log.warn("activation", "EnOS sent an activation that is not for this gateway, or has no secret") }
        activation?.gift = EnOSActivation.Gift(
            secret: Array(secret.utf8), replyTopic: replyTopic, identifier: MessageIdentifier.of(scanner))
        return [.keep(Array(secret.utf8))]
    }

    func activationKept(_ failure: String?, now: Moment) -> [FormEffect] {
        guard let gift = activation?.gift else { return [] }
        if let failure {
            activation?.retryAt = now.monotonic + EnOSActivation.retryInterval
            return [.warn("the secret that EnOS gave cannot be kept, and is tried again: \(failure)")]
        }
        activation?.isOver = true
        return isConnected ? [.publishUpstream(reply(gift.replyTopic, gift.identifier, .success))] : []
    }

    /// What is due on a connection that is there for the activation.
    func activationDue(now: Moment) -> [FormEffect] {
        guard let activation else { return [] }
        // A second after the answer, which would not go out of a connection that is closed with it.
        if activation.isOver { return [.reconnect("the gateway is activated")] }
        guard let gift = activation.gift, let retryAt = activation.retryAt, now.monotonic >= retryAt else { return [] }
        self.activation?.retryAt = nil
        return [.keep(gift.secret)]
    }
}
