internal import COpenSSL

/// A version of TLS; older ones are not spoken.
public enum TLSVersion: Sendable, CaseIterable, CustomStringConvertible {
    case v12, v13

    public var description: String {
        switch self {
        case .v12: "TLSv1.2"
        case .v13: "TLSv1.3"
        }
    }

    /// The number on the wire.
    var number: Int32 {
        switch self {
        case .v12: TLS1_2_VERSION
        case .v13: TLS1_3_VERSION
        }
    }
}
