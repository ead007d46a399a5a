import Configuration
import Testing

@testable import Appliance

@Suite("A changed configuration")
struct ConfigurationChangeTests {
    private func change(_ edit: (inout MartletConfiguration) -> Void) -> (ConfigurationChange, MartletConfiguration) {
        var new = MartletConfiguration()
        edit(&new)
        let change = ConfigurationChange(from: MartletConfiguration(), to: &new)
        return (change, new)
    }

    @Test("that is the same changes nothing")
    func same() {
        let (change, _) = change { _ in }
        #expect(change.applied.isEmpty && change.needsRestart.isEmpty)
    }

    @Test("is in force where that can be")
    func applied() {
        let (change, new) = change {
            $0.broker.maxInflight = 7
            $0.appliance.logLevel = .debug
            $0.listeners.append(MartletConfiguration.Listener())
            $0.metrics.port = 9464
            $0.buses.append(MartletConfiguration.Bus())
        }
        #expect(change.applied == ["log-level", "[broker]", "[[listener]]", "[metrics]", "[[bus]]"])
        #expect(change.needsRestart.isEmpty)
        #expect(new.broker.maxInflight == 7 && new.listeners.count == 2 && new.buses.count == 1)
    }

    @Test("stays as it was where it needs a restart, so that the next reload says so again")
    func restart() {
        let (change, new) = change {
            $0.appliance.dataDirectory = "/elsewhere"
            $0.cache.size = .bytes(1 << 29)
            $0.cache.maxAge = .seconds(3600)
        }
        #expect(change.needsRestart == ["data-directory", "[cache]"])
        #expect(change.applied.isEmpty)
        #expect(new.appliance == MartletConfiguration().appliance && new.cache == MartletConfiguration().cache)
    }
}
