import Broker
import Configuration
import Core
import Logging
import MQTTServer
import NIOCore
import NIOPosix
import Security

/// Who may connect to the appliance's listeners and do what, as a plan says it.
///
/// Belongs to the broker's event loop.
final class ApplianceAccess {
    let control: AccessControl
    private let broker: Broker
    private let hashing: HashingQueue

    init(
        plan: AppliancePlan, broker: Broker, eventLoop: any EventLoop, logger: Logger, now: MonotonicTime, wall: Timestamp
    ) {
        self.broker = broker
        // Two at a time leave the rest of a small box to the broker.
        hashing = HashingQueue(eventLoop: eventLoop, pool: NIOSingletons.posixBlockingThreadPool, width: 2)
        control = AccessControl(broker: broker, logger: logger)
        configure(plan)
        broker.setAccessRules(plan.configuration.makeAccessRules(), now: now, wall: wall)
    }

    private func configure(_ plan: AppliancePlan) {
        control.replace(limits: plan.configuration.admissionLimits, publishLimits: plan.configuration.publishLimits)
        let users = plan.passwordUsers
        // Listeners with the same users remember the same passwords.
        let common = users.common.map(authenticators)
        control.authenticators = plan.configuration.listeners.reduce(into: [:]) { result, listener in
            guard let both = users.own[listener.name].map(authenticators) ?? common else { return }
            result[listener.name] = listener.passwordMethods.map { method -> any Authenticator in
                switch method {
                case .password: both.password
                case .scramSHA256: both.scram
                }
            }
        }
    }

    private func authenticators(_ file: PasswordFile) -> (password: PasswordAuthenticator, scram: ScramAuthenticator) {
        (PasswordAuthenticator(file: file, queue: hashing), ScramAuthenticator(file: file))
    }

    /// Puts the rules, users and limits of another plan in place of those that hold. Whoever could not come in today is
    /// disconnected.
    ///
    /// - Parameter renamed: new names of listeners by their old ones.
    func replace(with plan: AppliancePlan, renamed: [String: String] = [:], now: MonotonicTime, wall: Timestamp) {
        configure(plan)
        broker.rename(listeners: renamed)
        let settings = Dictionary(
            plan.configuration.listeners.map { ($0.name, plan.configuration.settings(of: $0)) }, uniquingKeysWith: { $1 })
        broker.setAccessRules(
            plan.configuration.makeAccessRules(),
            isKnown: { control.stillKnows($0, settings: settings[$0.credentials.listener]) }, now: now, wall: wall)
    }
}
