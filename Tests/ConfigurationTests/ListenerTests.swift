import Configuration
import Testing

@Suite("Listeners in a configuration")
struct ListenerTests {
    /// What a listener that others can reach needs beside the way in.
    private static let rights = "[authentication]\ndefault-access = \"allow\"\n"

    @Test("a listener that others can reach has to say who may connect", arguments: ["0.0.0.0", "::", "192.0.2.1"])
    func reachable(address: String) {
        let refused = messages("[[listener]]\naddress = \"\(address)\"\n")
        #expect(refused.count == 1)
        #expect(refused[0].hasPrefix("m:2:11: address \"\(address)\" can be reached from other machines"))
        #expect(refused[0].contains("write allow-anonymous = true"))
        #expect(messages("[[listener]]\naddress = \"\(address)\"\nallow-anonymous = true\n" + Self.rights) == [])
    }

    @Test("client certificates or shared keys say who may connect")
    func authenticated() {
        let certificate = "[[listener]]\naddress = \"::\"\ncertificate-file = \"a\"\nkey-file = \"b\"\n"
        let clients = "client-ca-file = \"c\"\n"
        #expect(messages(certificate).count == 1)
        #expect(messages(certificate + "client-certificate = \"optional\"\n" + clients).count == 1)
        #expect(messages(certificate + "client-certificate = \"required\"\n" + clients + Self.rights) == [])
        #expect(messages("[[listener]]\naddress = \"::\"\npsk-file = \"p\"\n" + Self.rights) == [])
        // Whoever has no key comes with the certificate alone.
        #expect(messages(certificate + "psk-file = \"p\"\n").count == 1)
    }

    @Test("a listener that others can reach needs something that its clients may do")
    func rights() {
        let listener = "[[listener]]\naddress = \"0.0.0.0\"\nallow-anonymous = true\n"
        let found = messages(listener)
        #expect(found.count == 1)
        #expect(found[0].hasPrefix("m:2:11: clients from other machines may publish and subscribe to nothing"))
        #expect(messages(listener + "[authentication]\ndefault-access = \"deny\"\n").count == 1)
        #expect(messages(listener + "[[access-rule]]\naccess = \"allow\"\n") == [])
    }

    @Test("a loopback listener needs nothing", arguments: ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
    func loopback(address: String) {
        #expect(messages("[[listener]]\naddress = \"\(address)\"\n") == [])
    }

    @Test("two listeners cannot have one port of one address, nor one file")
    func sharedPlace() {
        #expect(
            messages("[[listener]]\n[[listener]]\nname = \"b\"\nport = 1883\n")
                == ["m:4:8: port 1883 of 127.0.0.1 is taken by the listener at line 1"]
        )
        #expect(
            messages("[[listener]]\n[[listener]]\nname = \"b\"\naddress = \"0.0.0.0\"\nallow-anonymous = true\n" + Self.rights)
                == ["m:2:1: port 1883 of 0.0.0.0 is taken by the listener at line 1"]
        )
        // :: has the addresses of IPv4 too.
        #expect(
            messages("[[listener]]\n[[listener]]\nname = \"b\"\naddress = \"::\"\nallow-anonymous = true\n" + Self.rights)
                == ["m:2:1: port 1883 of :: is taken by the listener at line 1"]
        )
        #expect(messages("[[listener]]\n[[listener]]\nname = \"b\"\naddress = \"::1\"\n") == [])
        let unix = "transport = \"unix\"\npath = \"s\"\n"
        #expect(
            messages("[[listener]]\n\(unix)[[listener]]\nname = \"b\"\n\(unix)")
                == ["m:7:8: path \"s\" is taken by the listener at line 1"])
        #expect(messages("[[listener]]\n[[listener]]\nname = \"b\"\n\(unix)") == [])
    }

    @Test("the metrics cannot have a listener's port", arguments: ["127.0.0.1", "0.0.0.0", "::"])
    func metricsPort(address: String) {
        let metrics = "[metrics]\naddress = \"\(address)\"\nallow-anonymous = true\nport = "
        #expect(
            messages("[[listener]]\n" + metrics + "1883\n") == ["m:5:8: port 1883 of \(address) is taken by the listener at line 1"])
        #expect(
            messages(metrics + "1883\n") == ["m:4:8: port 1883 of \(address) is taken by the listener that is there without any [[listener]]"])
        #expect(messages(metrics + "1884\n") == [])
        #expect(messages("[[listener]]\naddress = \"127.0.0.2\"\n[metrics]\nport = 1883\n") == [])
    }

    @Test("keys of another transport, or of TLS without TLS, are refused", arguments: [
        ("transport = \"unix\"", "m:1:1: [[listener]] needs the key \"path\" when transport is \"unix\""),
        ("path = \"s\"", "m:2:8: path has a meaning only when transport is \"unix\""),
        ("websocket-path = \"/\"", "m:2:18: websocket-path has a meaning only when transport is \"websocket\""),
        (
            "transport = \"unix\"\npath = \"s\"\nport = 1",
            "m:4:8: port has a meaning only when transport is \"tcp\" or \"websocket\""
        ),
        (
            "transport = \"unix\"\npath = \"s\"\npsk-file = \"p\"",
            "m:4:12: psk-file has a meaning only when transport is \"tcp\" or \"websocket\""
        ),
        (
            "min-tls-version = \"1.3\"",
            "m:2:19: min-tls-version has a meaning only when there is a certificate-file or a psk-file"
        ),
        ("certificate-file = \"c\"", "m:1:1: [[listener]] needs the key \"key-file\" when there is a certificate-file"),
        (
            "certificate-file = \"c\"\nkey-file = \"k\"\nclient-certificate = \"required\"",
            "m:1:1: [[listener]] needs the key \"client-ca-file\" when client-certificate is \"optional\" or \"required\""
        ),
        (
            "psk-file = \"p\"\n[[listener.server-name]]\nhost = \"h\"\ncertificate-file = \"c\"\nkey-file = \"k\"",
            "m:3:1: a server-name has a meaning only beside a certificate-file, which is for clients that ask for none of them"
        ),
    ])
    func combinations(lines: String, expected: String) {
        #expect(messages("[[listener]]\n\(lines)\n") == [expected])
    }

    @Test("a password can be required beside what TLS says, where there is a password file", arguments: [
        ("psk-file = \"p\"\nrequire-password = true", "m:3:20: require-password needs a password-file, here or in [authentication]"),
        (
            "require-password = true\npassword-file = \"u\"",
            "m:2:20: require-password has a meaning only when client-certificate is \"optional\" or \"required\", or there is a psk-file"
        ),
        (
            "psk-file = \"p\"\nrequire-password = true\npassword-file = \"u\"\nallow-anonymous = true",
            "m:5:19: allow-anonymous = true and require-password = true exclude each other: remove one of them"
        ),
    ])
    func requiredPassword(lines: String, expected: String) {
        #expect(messages("[[listener]]\n\(lines)\n") == [expected])
        let file = "[[listener]]\npsk-file = \"p\"\nrequire-password = true\n"
        #expect(messages(file + "[authentication]\npassword-file = \"u\"\n") == [])
    }

    @Test("values that no listener can have are refused", arguments: [
        ("topic-prefix = \"a/\"", "m:2:16: topic-prefix \"a/\" must not end with \"/\": one is put before the topic"),
        ("topic-prefix = \"$SYS\"", "m:2:16: topic-prefix \"$SYS\" must not begin with \"$\", which marks a server's own topics"),
        (
            "topic-prefix = \"a/+\"",
            "m:2:16: topic-prefix \"a/+\" is not the beginning of a topic: it must not contain \"+\", \"#\" and control characters"
        ),
        ("max-packet-size = \"2MiB\"", "m:2:19: max-packet-size of a listener can only be lower than that of [broker]"),
        (
            "transport = \"websocket\"\nwebsocket-path = \"mqtt\"",
            "m:3:18: websocket-path \"mqtt\" is not a path: it begins with \"/\" and has letters, digits, \"-\", \"_\", \".\", \"~\" and \"/\""
        ),
        (
            "transport = \"unix\"\npath = \"s\"\nsocket-mode = \"0070\"",
            "m:4:15: socket-mode \"0070\" is not a mode such as \"0600\", \"0660\" or \"0666\""
        ),
        (
            "transport = \"unix\"\npath = \"s\"\nsocket-mode = 660",
            "m:4:15: socket-mode must be a string such as \"0660\", not an integer"
        ),
        (
            "transport = \"unix\"\npath = \"/\(String(repeating: "x", count: 107))\"",
            "m:3:8: path \"/\(String(repeating: "x", count: 59))…\" is too long: a socket's path has at most 107 bytes"
        ),
    ])
    func values(lines: String, expected: String) {
        #expect(messages("[[listener]]\n\(lines)\n") == [expected])
    }
}
