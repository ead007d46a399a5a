/// A file that holds nothing but one secret: the password with which this box goes to another.
public enum SecretFile {
    /// Why a secret could not be read, with the file's path.
    public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        public var description: String
    }

    /// - Parameters:
    ///   - limit: bytes that the secret may have; those that MQTT gives a password, if nothing else is said.
    /// - Returns: the file's content without one line end at its end.
    public static func read(_ path: String, limit: Int = 65_535) throws(Failure) -> [UInt8] {
        var bytes: [UInt8]
        do throws(SmallFile.Failure) {
            // Room for the line end.
            bytes = try SmallFile.read(path, limit: limit + 2)
        } catch {
            throw Failure(description: error.description)
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard bytes.count <= limit else { throw Failure(description: "\(path): has more than \(limit) bytes") }
        return bytes
    }

    /// What should be mended about the file, a sentence each.
    public static func warnings(_ path: String) -> [String] {
        guard SmallFile.isReadableByAll(path) else { return [] }
        return ["\(path): everybody on this machine can read the secret; chmod 600 \(path)"]
    }
}
