import Core
import MQTTCodec
import Testing

@testable import Bridge

@Suite("EnOS: CONNECT and signatures")
struct EnOSConnectTests {
    private func sign(
        _ client: String, _ product: String, _ device: String, _ timestamp: Int64, _ secret: String,
        _ method: EnOSSignature.Method = .sha256
    ) -> String {
        EnOSSignature.sign(
            clientIdentifier: client, device: DeviceIdentifier(productKey: product, deviceKey: device), timestamp: timestamp,
            secret: Array(secret.utf8), method: method)
    }

    @Test("a static secret signs as the platform's documents show it")
    func staticSecret() {
        #expect(
            sign("123456", "654321", "test", 1_548_753_362_502, "abcdefg")
                == "B99032D49C706F7B27B22AB5CD2DD3C56A31E1BCBBC83BA0A2A6BB3272FBB166")
    }

    @Test("a product's secret signs the same way")
    func productSecret() {
        #expect(
            sign("123", "123", "test", 1_524_448_722_000, "abcdefg")
                == "A4F9AD91051E3CA89440E0157029DD358C3A2C556D3C543B9FD5A38484785AC9")
    }

    @Test("SHA-1 is there for old products")
    func sha1() {
        #expect(
            sign("123456", "KV315idW", "tPbZGCdmaE", 1_548_753_362_502, "M3yy874uGY8INjEGddTR", .sha1)
                == "E42C1186C3BFFE98E1EA8AB320CD800D579212AA")
    }

    @Test("the keys of the C SDK's example sign as it signs them")
    func cExample() {
        #expect(
            sign("ZTUTEcNf.oBLcN1Ruj2", "ZTUTEcNf", "oBLcN1Ruj2", 2_524_608_000_000, "HTtewna5Gih31UFRVzCX")
                == "0F139D6C34308F1E6132642335080D1B27441BCDE43CE8FA67D4930FC1E7EC76")
    }

    @Test("a sub-device signs with its own secret")
    func subDevice() {
        #expect(
            sign("pkSUB.dkSUB", "pkSUB", "dkSUB", 1_700_000_000_000, "secretSUB")
                == "21E07143E49AF137502CBCF8FA3A017BCB7926C6C19DFFB46736927BFDACAD2E")
    }

    private static let gateway = DeviceIdentifier(productKey: "654321", deviceKey: "test")

    @Test("CONNECT is 3.1.1 with a clean session, and signed")
    func connect() throws {
        let talk = FormConversation(EnOSForm(configuration: EnOSConfiguration(gateway: Self.gateway)))
        let packet = try talk.connect(secret: "abcdefg\n", clientIdentifier: "123456", wall: 1_548_753_362_502)
        #expect(packet.version == .v311 && packet.cleanStart)
        #expect(packet.clientIdentifier == "123456|securemode=2,signmethod=sha256,timestamp=1548753362502|")
        #expect(packet.userName == "test&654321")
        #expect(packet.password == Array("B99032D49C706F7B27B22AB5CD2DD3C56A31E1BCBBC83BA0A2A6BB3272FBB166".utf8))
    }

    @Test("compression is announced in the signed part of the client identifier")
    func compression() throws {
        var configuration = EnOSConfiguration(gateway: Self.gateway)
        configuration.compression = .gzip
        let talk = FormConversation(EnOSForm(configuration: configuration))
        let packet = try talk.connect(secret: "abcdefg", clientIdentifier: "123456", wall: 1_548_753_362_502)
        #expect(packet.clientIdentifier.hasPrefix("123456{compress=GZIP}|securemode=2,"))
        #expect(
            packet.password.map { String(decoding: $0, as: UTF8.self) }
                == sign("123456{compress=GZIP}", "654321", "test", 1_548_753_362_502, "abcdefg"))
    }

    @Test("the secret's file has the gateway's secret and those of the devices")
    func secrets() throws {
        let secrets = try EnOSSecrets(Array("# gateway\n s1 \r\n\nmeter/m1 s2\nmeter/m2\ts3\n".utf8))
        #expect(secrets.gateway == Array("s1".utf8))
        #expect(secrets.devices.map(\.identifier.description) == ["meter/m1", "meter/m2"])
        #expect(secrets.devices.map { String(decoding: $0.secret, as: UTF8.self) } == ["s2", "s3"])
    }

    @Test(
        "a mistake in the secret's file is told with its line",
        arguments: [
            ("meter/m1 s\n", "lacks the gateway's own secret"), ("a\nb\n", "line 2"), ("a\nmeter s\n", "line 2"),
            ("a\nmeter/m1 s\nmeter/m1 t\n", "line 3"), ("a\nmeter/m1 s t\n", "line 2"), ("", "lacks"), ("a\n/m1 s\n", "line 2"),
        ])
    func badSecrets(_ file: String, _ words: String) {
        let error = #expect(throws: FormError.self) { try EnOSSecrets(Array(file.utf8)) }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    @Test("without a secret there is no CONNECT")
    func noSecret() {
        let talk = FormConversation(EnOSForm(configuration: EnOSConfiguration(gateway: Self.gateway)))
        #expect(throws: FormError.self) { try talk.connect(secret: nil) }
    }

    @Test("what is subscribed to is the gateway's own")
    func subscriptions() {
        let form = EnOSForm(configuration: EnOSConfiguration(gateway: Self.gateway))
        let filters = form.subscriptions.map(\.filter)
        #expect(filters.contains("/ext/session/654321/test/combine/login/batch_reply"))
        #expect(filters.contains("/sys/654321/test/thing/service/measurepoint/set"))
        #expect(filters.contains("/sys/654321/test/thing/service/+"))
        #expect(filters.allSatisfy { TopicFilter($0) != nil && $0.contains("/654321/test/") })
    }
}
