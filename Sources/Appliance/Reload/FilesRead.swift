import Configuration
import MQTTServer
import Security

/// What was in the files beside the configuration that a plan was made from: certificates, keys, lists, passwords. A reload
/// tells by it what it has read anew although the configuration names the same file.
struct FilesRead: Sendable, Equatable {
    /// Each with SHA-256 of what it held, in the order of the configuration.
    private(set) var files: [(name: String, digest: [UInt8])] = []

    init(_ files: [(name: String, digest: [UInt8])]) { self.files = files }

    init(_ plan: AppliancePlan) {
        for listener in plan.listeners {
            guard let digests = listener.tls?.fileDigests else { continue }
            let name = listener.settings.name.quotedForMessage
            for (what, digest) in [
                ("certificates", digests.certificates), ("client authorities", digests.clientAuthorities),
                ("revocation list", digests.revocationLists), ("shared keys", digests.preSharedKeys),
            ] where !digest.isEmpty {
                files.append(("\(what) of listener \(name)", digest))
            }
        }
        let users = plan.passwordUsers
        if let common = users.common { files.append(("password file", common.digest)) }
        for listener in plan.configuration.listeners {
            guard let own = users.own[listener.name] else { continue }
            files.append(("password file of listener \(listener.name.quotedForMessage)", own.digest))
        }
    }

    /// The files that were there and held something else. One that has come or gone is a change of the configuration.
    func changed(from old: FilesRead) -> [String] {
        files.filter { file in old.files.contains { $0.name == file.name && $0.digest != file.digest } }.map(\.name)
    }

    static func == (a: FilesRead, b: FilesRead) -> Bool { a.files.elementsEqual(b.files) { $0 == $1 } }
}
