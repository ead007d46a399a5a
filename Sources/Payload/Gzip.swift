internal import CZlib

/// Why bytes cannot be decompressed.
public enum GzipError: Error, Sendable, Equatable, CustomStringConvertible {
    /// They are not gzip (RFC 1952), end early, or their check sum is wrong.
    case damaged
    /// They are more than the limit, decompressed.
    case tooLarge(limit: Int)

    public var description: String {
        switch self {
        case .damaged: "the gzip data is damaged"
        case .tooLarge(let limit): "it has more than \(limit) bytes decompressed"
        }
    }
}

/// The gzip format (RFC 1952).
public enum Gzip {
    /// Whether bytes begin as the format does.
    public static func isGzip(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count > 2 && bytes[0] == 0x1F && bytes[1] == 0x8B
    }

    /// - Parameter bytes: less than 2 GiB.
    public static func compress(_ bytes: [UInt8]) -> [UInt8] {
        let limit = Int(czlib_gzip_bound(UInt(bytes.count)))
        return [UInt8](unsafeUninitializedCapacity: limit) { output, count in
            count = bytes.withUnsafeBufferPointer { input in
                Int(czlib_gzip(input.baseAddress, UInt(input.count), output.baseAddress, UInt(limit)))
            }
            precondition(count > 0, "compressing fails only without memory")
        }
    }

    /// - Parameter limit: bytes that the result has at most. No more memory than that is taken, whatever the bytes say.
    public static func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(GzipError) -> [UInt8] {
        // Doubled until it is enough: what is small takes little.
        var capacity = min(limit, max(256, bytes.count * 4))
        while true {
            var result: Int = 0
            let output = [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
                result = czlib_gunzip(bytes.baseAddress, UInt(bytes.count), output.baseAddress, UInt(capacity))
                count = max(0, result)
            }
            if result >= 0 { return output }
            guard result == CZLIB_TOO_SMALL else { throw .damaged }
            guard capacity < limit else { throw .tooLarge(limit: limit) }
            capacity = min(limit, capacity * 2)
        }
    }
}
