/// What the files of a server's TLS held when they were read: those of two readings are compared to know what is new.
///
/// SHA-256 each; empty where there is no such file.
public struct TLSFileDigests: Sendable, Equatable {
    /// Of all certificates with their keys.
    public internal(set) var certificates: [UInt8] = []
    public internal(set) var clientAuthorities: [UInt8] = []
    public internal(set) var revocationLists: [UInt8] = []
    public internal(set) var preSharedKeys: [UInt8] = []
}
