internal import COpenSSL
internal import Core
internal import Synchronization

/// The keys that session tickets are encrypted with. They belong to the process, so that tickets outlive a reload of
/// certificates, and change as time goes by, so that a key that leaks opens few recorded connections.
enum TicketKeys {
    private static let ring = Mutex(TicketKeyRing())

    /// OpenSSL asks for the key to encrypt with, or for the key of a name. (1: here it is; 2: here it is, and the client
    /// needs a new ticket; 0: there is none, and the handshake is a full one.)
    static let callback: copenssl_ticket_key_callback = { _, name, iv, cipher, mac, encrypts in
        guard let name, let iv else { return 0 }
        let now = SystemClock.monotonic()
        let shown = UnsafeMutableBufferPointer(start: name, count: TicketKeyRing.nameLength)
        var key: TicketKey
        var answer: Int32 = 1
        if encrypts == 1 {
            key = ring.withLock { $0.current(now: now) }
            _ = shown.update(fromContentsOf: key.name)
            _ = UnsafeMutableBufferPointer(start: iv, count: 16).update(fromContentsOf: secureRandom(16))
        } else {
            let wanted = Array(shown)
            guard let found = ring.withLock({ $0.find(wanted, now: now) }) else { return 0 }
            key = found.key
            if !found.isCurrent { answer = 2 }
        }
        return copenssl_ticket_start(cipher, mac, iv, &key.cipherKey, &key.macKey, encrypts) == 1 ? answer : 0
    }
}

struct TicketKey: Equatable {
    var name = secureRandom(TicketKeyRing.nameLength)
    var cipherKey = secureRandom(32)
    var macKey = secureRandom(32)
}

/// The key of now and the one before.
struct TicketKeyRing {
    static let nameLength = 16
    /// Seconds for which a client may come back with a ticket, and for which a key encrypts.
    static let lifetime = 7200

    private var keys: [(key: TicketKey, madeAt: MonotonicTime)] = []

    mutating func current(now: MonotonicTime) -> TicketKey {
        if let last = keys.last, now < last.madeAt + .seconds(TicketKeyRing.lifetime) { return last.key }
        keys = keys.suffix(1) + [(TicketKey(), now)]
        return keys[keys.count - 1].key
    }

    /// The key of a ticket that is still good.
    func find(_ name: [UInt8], now: MonotonicTime) -> (key: TicketKey, isCurrent: Bool)? {
        for (at, entry) in keys.enumerated() where entry.key.name == name {
            guard now < entry.madeAt + .seconds(2 * TicketKeyRing.lifetime) else { return nil }
            return (entry.key, at == keys.count - 1)
        }
        return nil
    }
}
