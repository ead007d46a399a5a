/// What a host is called: by a name, or by an address in one of several spellings.
package enum HostName {
    /// What two names of one host have in common, as far as the names themselves tell: `localhost`, `127.0.0.1` and `::1` are
    /// one host, letters count the same in either case, and so do an address' spellings. Nothing is looked up.
    package static func identity(of name: String) -> String {
        var name = name.lowercased()
        // The root of the names may be left out (RFC 1034 §3.1).
        if name.hasSuffix(".") { name.removeLast() }
        guard let address = IPAddress(name) else { return name == "localhost" ? loopback : name }
        let bytes = address.v4 ?? address.bytes
        if bytes == [127, 0, 0, 1] || bytes == IPAddress("::1")?.bytes { return loopback }
        return bytes.map { "\($0)" }.joined(separator: ".")
    }

    private static let loopback = "127.0.0.1"
}
