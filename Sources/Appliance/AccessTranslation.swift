import Broker
import Configuration
import MQTTServer
import Security

// From the rules and limits of the configuration file to those of the broker and the server.

extension MartletConfiguration {
    func makeAccessRules() -> AccessRules {
        let access: DefaultAccess =
            switch authentication.defaultAccess {
            case .automatic: .automatic
            case .allow: .allow
            case .deny: .deny
            }
        return AccessRules(rules: accessRules.map(\.brokerValue), defaultAccess: access)
    }

    /// Who can prove that he knows a password; what is wrong with a file goes to `errors`, what should be mended to `found`.
    func readPasswordFiles(_ errors: inout [ConfigurationError], _ found: inout [ConfigurationWarning]) -> PasswordUsers {
        var users = PasswordUsers()
        users.common = readPasswordFile(authentication.passwordFile, authentication.source, &errors, &found)
        for listener in listeners {
            users.own[listener.name] = readPasswordFile(listener.passwordFile, listener.source, &errors, &found)
        }
        return users
    }

    private func readPasswordFile(
        _ path: String?, _ source: TableSource, _ errors: inout [ConfigurationError], _ found: inout [ConfigurationWarning]
    ) -> PasswordFile? {
        guard let path, source.isSound("password-file") else { return nil }
        do throws(PasswordFileError) {
            let file = try PasswordFile(path: resolve(path: path))
            for warning in file.warnings { found.append(ConfigurationWarning(source["password-file"], warning)) }
            return file
        } catch {
            errors.append(ConfigurationError(source["password-file"], error.description))
            return nil
        }
    }

    var admissionLimits: AdmissionLimits {
        var limits = AdmissionLimits()
        limits.connectRate = protection.connectRate
        limits.connectRatePerAddress = protection.connectRatePerAddress
        limits.maximumConnectionsPerAddress = protection.maxConnectionsPerAddress
        limits.banAfter = protection.banAfter == 0 ? nil : protection.banAfter
        limits.banWindow = protection.banWindow
        limits.banTime = protection.banTime
        limits.bansAddresses = protection.banBy.contains(.address)
        limits.bansClientIdentifiers = protection.banBy.contains(.clientIdentifier)
        limits.bansUserNames = protection.banBy.contains(.userName)
        limits.bansLoopback = protection.banLoopback
        limits.flapAfter = protection.flapAfter
        limits.flapWindow = protection.flapWindow
        limits.flapBanTime = protection.flapBanTime
        return limits
    }

    var publishLimits: PublishLimits {
        var limits = PublishLimits()
        limits.messages = protection.publishRate
        limits.bytes = protection.publishByteRate
        limits.policy = protection.publishPolicy == .disconnect ? .disconnect : .slowDown
        return limits
    }
}

/// The password files of a configuration, as they were read.
struct PasswordUsers {
    /// Of `[authentication]`; nil if there is none.
    var common: PasswordFile?
    /// By listener, of those that have one of their own.
    var own: [String: PasswordFile] = [:]
}

extension MartletConfiguration.AccessRule {
    fileprivate var brokerValue: AccessRule {
        var rule = AccessRule(allows: access == .allow, topic: topic)
        rule.actions = actions.reduce([]) { $0.union($1.brokerValue) }
        rule.userName = user
        rule.clientIdentifier = clientIdentifier
        rule.listener = listener
        rule.addresses = address.flatMap { NetworkPrefix(bytes: $0.bytes, length: $0.length) }
        return rule
    }
}

extension MartletConfiguration.AccessRule.Action {
    fileprivate var brokerValue: AccessActions {
        switch self {
        case .publish: .publish
        case .subscribe: .subscribe
        case .receive: .receive
        case .all: .all
        }
    }
}
