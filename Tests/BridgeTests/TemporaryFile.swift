import Glibc
import NIOCore

func writeFile(_ path: String, _ bytes: UnsafeRawBufferPointer) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: path) }
    defer { close(descriptor) }
    guard write(descriptor, bytes.baseAddress, bytes.count) == bytes.count else {
        throw IOError(errnoCode: errno, reason: path)
    }
}

func removeFile(_ path: String) { unlink(path) }
