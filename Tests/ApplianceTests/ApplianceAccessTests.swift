import Broker
import Configuration
import Core
import FieldBus
import Logging
import MQTTCodec
import MQTTServer
import NIOEmbedded
import Security
import TestSupport
import Testing

@testable import Appliance

/// A change of who may do what, while clients are connected.
@Suite("Access of the appliance")
struct ApplianceAccessTests {
    private let directory = TestFolder()
    private let broker = Broker(limits: BrokerLimits(), seed: 1)
    private let now = SystemClock.monotonic()
    private let wall = SystemClock.wall()

    private func plan(_ text: String, users: [String]) throws -> AppliancePlan {
        let hash = PasswordHash.make(Array("x".utf8), iterations: 1)
        directory.write("users", users.map { "\($0):\(hash)\n" }.joined())
        let path = "\(directory.path)/martlet.toml"
        return try AppliancePlan(
            MartletConfiguration.decode(text: "[authentication]\npassword-file = \"users\"\n" + text, file: path, drivers: Drivers.catalogue))
    }

    private func access(_ plan: AppliancePlan) -> ApplianceAccess {
        ApplianceAccess(
            plan: plan, broker: broker, eventLoop: EmbeddedEventLoop(), logger: Logger(label: "test"), now: now, wall: wall)
    }

    private func connect(_ user: String?) -> Client {
        let client = Client()
        let name = user ?? "nobody"
        client.identity = ClientIdentity(
            principal: Principal(userName: user, origin: user == nil ? .anonymous : .password),
            credentials: Credentials(listener: "local", address: nil, clientIdentifier: name, userName: user))
        broker.connect(
            client, packet: ConnectPacket(version: .v5, clientIdentifier: name, cleanStart: true, keepAlive: 0), now: now,
            wall: wall)
        return client
    }

    @Test("users that are gone from the file are disconnected, and the others get the new rules")
    func replaced() throws {
        let access = access(try plan("[[access-rule]]\naccess = \"allow\"\n", users: ["ann", "bob"]))
        let ann = connect("ann")
        let bob = connect("bob")
        #expect(ann.permissions?.mayPublish("b") == true)
        access.replace(with: try plan("[[access-rule]]\naccess = \"allow\"\ntopic = \"a\"\n", users: ["ann"]), now: now, wall: wall)
        #expect(ann.session != nil && bob.session == nil)
        #expect(ann.permissions?.mayPublish("a") == true && ann.permissions?.mayPublish("b") == false)
    }

    @Test("a client without a name is disconnected once the listener asks for one")
    func anonymous() throws {
        let open = "[[listener]]\nname = \"local\"\nallow-anonymous = true\n"
        let access = access(try plan(open, users: ["ann"]))
        let client = connect(nil)
        access.replace(with: try plan(open, users: ["ann"]), now: now, wall: wall)
        #expect(client.session != nil)
        access.replace(with: try plan("", users: ["ann"]), now: now, wall: wall)
        #expect(client.session == nil)
    }

    @Test("clients go by the name that their listener has now, also where another took the old one")
    func renamed() throws {
        func listeners(_ first: String, _ second: String) -> String {
            "[[listener]]\nname = \"\(first)\"\nallow-anonymous = true\n"
                + "[[listener]]\nname = \"\(second)\"\nport = 1884\n"
        }
        let access = access(try plan(listeners("local", "other"), users: ["ann"]))
        let client = connect(nil)
        access.replace(
            with: try plan(listeners("new", "local"), users: ["ann"]), renamed: ["local": "new", "other": "local"], now: now, wall: wall)
        #expect(client.identity?.credentials.listener == "new")
        access.replace(with: try plan(listeners("new", "local"), users: ["ann"]), now: now, wall: wall)
        #expect(client.session != nil)
    }

    @Test("a password file that cannot be used is a mistake with its place in the configuration")
    func badFile() throws {
        directory.write("users", "ann:secret\n")
        let configuration = try MartletConfiguration.decode(
            text: "[authentication]\npassword-file = \"users\"\n", file: "\(directory.path)/martlet.toml", drivers: Drivers.catalogue)
        let error = #expect(throws: ConfigurationErrors.self) { try AppliancePlan(configuration) }
        #expect("\(try #require(error))".contains("martlet.toml:2:17: "))
        #expect(!"\(try #require(error))".contains("secret"))
    }
}
