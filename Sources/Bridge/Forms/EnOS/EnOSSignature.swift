public import Core
import Security

/// How EnOS knows that somebody has a secret: a plain digest, not an HMAC, of the sorted names and values with the secret
/// behind them.
public enum EnOSSignature {
    public enum Method: String, Sendable, CaseIterable {
        case sha256
        /// For old products.
        case sha1

        var hash: Hash {
            switch self {
            case .sha256: .sha256
            case .sha1: .sha1
            }
        }
    }

    /// - Parameters:
    ///   - clientIdentifier: up to the first `|`, the block in braces included.
    ///   - timestamp: milliseconds; the same number stands beside the signature.
    /// - Returns: hexadecimal digits in upper case, which the platform compares with either case.
    public static func sign(
        clientIdentifier: String, device: DeviceIdentifier, timestamp: Int64, secret: [UInt8], method: Method = .sha256
    ) -> String {
        // In the order of the names.
        let text =
            "clientId\(clientIdentifier)deviceKey\(device.deviceKey)productKey\(device.productKey)timestamp\(timestamp)"
        let digits = Array("0123456789ABCDEF".utf8)
        var signature: [UInt8] = []
        for byte in method.hash.digest(Array(text.utf8) + secret) {
            signature += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: signature, as: UTF8.self)
    }
}
