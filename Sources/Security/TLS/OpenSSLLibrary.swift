internal import COpenSSL

/// The library as a whole: its start, and its queue of errors, which each thread has for itself.
enum OpenSSLLibrary {
    /// Whether it could be started; reading it starts it.
    static let isReady = copenssl_initialize() == 1

    /// Empties the queue of errors. To be called before what is asked for its errors afterwards.
    @inline(__always)
    static func clearErrors() { ERR_clear_error() }

    /// The reason of the first error in the queue, which is the cause of the others, in OpenSSL's words. Empties the queue.
    static func takeReason() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        return reason(code)
    }

    static func reason(_ code: UInt) -> String {
        if code == 0 { return "unknown reason" }
        if let text = ERR_reason_error_string(code) { return String(cString: text) }
        var text = [CChar](repeating: 0, count: 256)
        ERR_error_string_n(code, &text, text.count)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
