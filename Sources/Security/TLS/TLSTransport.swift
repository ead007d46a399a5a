internal import COpenSSL
import NIOCore

/// OpenSSL's end of a connection's bytes: it reads what the engine was given, in place, and writes into the engine's output.
/// Nothing is kept between calls.
enum TLSTransport {
    /// - Parameter engine: has to outlive the BIO.
    static func make(for engine: TLSEngine) -> OpaquePointer? {
        guard let method = method.pointer, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(engine).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    /// `@unchecked Sendable`: nothing changes it after it is made.
    private struct Method: @unchecked Sendable {
        var pointer: OpaquePointer?
    }

    private static let method: Method = {
        let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "martlet")
        BIO_meth_set_read(method, read)
        BIO_meth_set_write(method, write)
        BIO_meth_set_ctrl(method, control)
        return Method(pointer: method)
    }()

    private static func engine(_ bio: OpaquePointer?) -> TLSEngine? {
        BIO_get_data(bio).map { Unmanaged<TLSEngine>.fromOpaque($0).takeUnretainedValue() }
    }

    private static let read: @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>?, Int32) -> Int32 = { bio, to, limit in
        copenssl_bio_clear_retry_flags(bio)
        guard let engine = engine(bio), let to, limit > 0 else { return -1 }
        let count = engine.takeInput(UnsafeMutableRawBufferPointer(start: to, count: Int(limit)))
        if count == 0 {
            copenssl_bio_set_retry_read(bio)
            return -1
        }
        return Int32(count)
    }

    private static let write: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, Int32) -> Int32 = { bio, from, count in
        copenssl_bio_clear_retry_flags(bio)
        guard let engine = engine(bio), let from, count >= 0 else { return -1 }
        engine.addOutput(UnsafeRawBufferPointer(start: from, count: Int(count)))
        return count
    }

    private static let control: @convention(c) (OpaquePointer?, Int32, Int, UnsafeMutableRawPointer?) -> Int = { _, command, _, _ in
        command == BIO_CTRL_FLUSH ? 1 : 0
    }
}
