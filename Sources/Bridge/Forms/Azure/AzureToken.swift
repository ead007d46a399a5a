import Security

/// A shared access signature, which is the password of a device of an IoT Hub.
public enum AzureToken {
    /// The signature's text is the resource and the end, an HMAC-SHA256 of both with the device's key between them.
    ///
    /// - Parameters:
    ///   - resource: `{hub}/devices/{device}`.
    ///   - key: Base64, as the hub shows it; white space around it does not count.
    ///   - expiry: whole seconds since 1970.
    /// - Throws: if the key is not Base64.
    public static func make(resource: String, key: [UInt8], expiry: Int64) throws(FormError) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
        let text = key.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        guard let secret = Base64.decode(Array(text)), !secret.isEmpty else {
            throw FormError("the password-file does not hold the device's key, which is Base64")
        }
        let encoded = PercentEncoding.encode(resource)
        let code = Hash.sha256.authenticationCode(of: Array("\(encoded)\n\(expiry)".utf8), key: secret)
        let signature = PercentEncoding.encode(Base64.encode(code))
        return "SharedAccessSignature sr=\(encoded)&sig=\(signature)&se=\(expiry)"
    }
}
