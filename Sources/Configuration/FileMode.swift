/// Permissions of a file.
public struct FileMode: Sendable, Equatable {
    /// 0…0o777
    public var bits: UInt32

    public init(_ bits: UInt32) { self.bits = bits }
}

extension ValueType where Value == FileMode {
    /// In octal, as chmod takes it.
    static var fileMode: Self {
        Self(name: "string", allowed: "\"0600\"…\"0777\"") { value throws(Refusal) in
            guard case .string(let text) = value.content else { throw .kind("a string such as \"0660\"", value) }
            let isOctal = (3...4).contains(text.utf8.count) && text.utf8.allSatisfy { (48...55).contains($0) }
            // The broker's own user needs no permission, but a socket that nobody may write to is of no use.
            guard isOctal, let bits = UInt32(text, radix: 8), bits <= 0o777, bits & 0o600 == 0o600 else {
                throw Refusal("\(text.quotedForMessage) is not a mode such as \"0600\", \"0660\" or \"0666\"")
            }
            return FileMode(bits)
        } write: {
            let digits = String($0.bits, radix: 8)
            return "\"\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)\""
        }
    }
}
