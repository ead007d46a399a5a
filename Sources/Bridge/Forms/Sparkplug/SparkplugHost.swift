import Core
import Payload

/// What the primary host application has said of itself on this connection (Sparkplug 3.0 §6.4.25: JSON at
/// `spBv1.0/STATE/{host}`; 2.2: a text at `STATE/{host}`).
struct SparkplugHost {
    /// Sparkplug 3.0.
    let topic: String
    /// Sparkplug 2.2; of no account once the host has spoken 3.0.
    let oldTopic: String
    private(set) var isOnline = false
    private var timestamp: Int64?
    private var speaks3 = false

    init(_ identifier: String) {
        topic = "spBv1.0/STATE/\(identifier)"
        oldTopic = "STATE/\(identifier)"
    }

    /// The connection is gone, and with it what was known.
    mutating func forget() {
        isOnline = false
        timestamp = nil
        speaks3 = false
    }

    /// - Returns: whether the topic is one of the host's.
    mutating func take(topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, scanner: inout JSONScanner) -> Bool {
        if topic.elementsEqual(self.topic.utf8) {
            takeState(payload, &scanner)
            return true
        }
        guard topic.elementsEqual(oldTopic.utf8) else { return false }
        if !speaks3 {
            if payload.elementsEqual("ONLINE".utf8) { isOnline = true }
            if payload.elementsEqual("OFFLINE".utf8) { isOnline = false }
        }
        return true
    }

    private mutating func takeState(_ payload: UnsafeRawBufferPointer, _ scanner: inout JSONScanner) {
        do throws(JSONError) {
            try scanner.scan(payload)
        } catch {
            return
        }
        guard let online = scanner.member("online", of: JSONScanner.root),
            let milliseconds = scanner.integer("timestamp", of: JSONScanner.root)
        else { return }
        let kind = scanner[online].kind
        guard kind == .true || kind == .false else { return }
        // A will of an earlier session may come late: it is older than the birth after it.
        if let timestamp, milliseconds < timestamp { return }
        timestamp = milliseconds
        speaks3 = true
        isOnline = kind == .true
    }
}
