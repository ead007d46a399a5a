internal import CSQLite
internal import Glibc

/// Why something could not be stored or read back; the cases are what the caller can do about it.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No space is left on the disk, or a quota is used up. Nothing of the batch counts as stored: keep it, free space
    /// or lower the limits, and try the same batch again.
    case full(message: String)
    /// The file's content is not what was written. Set it aside (``Storage/replaceDamagedFiles(now:)``) and go on empty.
    case damaged(file: String, message: String)
    /// Another process uses the files. Stop it, or use another data directory.
    case busy(message: String)
    /// Anything else: an I/O error, no memory, no permission. Nothing of the batch counts as stored; trying again may
    /// help when the cause is gone.
    case failed(code: ResultCode, message: String, sql: String)

    public var description: String {
        switch self {
        case .full(let message): "no space left: \(message)"
        case .damaged(let file, let message): "\(file) is damaged: \(message)"
        case .busy(let message): message
        case .failed(let code, let message, let sql):
            sql.isEmpty ? "\(code): \(message)" : "\(code): \(message) (in: \(sql))"
        }
    }
}

extension StoreError {
    /// Sorts a result code of SQLite into a case.
    ///
    /// - Parameters:
    ///   - connection: the connection that failed, which knows the message and the system's errno; may be nil.
    ///   - file: the path, for the message.
    init(code: Int32, connection: OpaquePointer?, file: String, sql: String) {
        let result = ResultCode(rawValue: code)
        var message = String(cString: sqlite3_errstr(code))
        var systemError: Int32 = 0
        if let connection {
            message = String(cString: sqlite3_errmsg(connection))
            systemError = sqlite3_system_errno(connection)
        }
        switch result.primary {
        case .full:
            self = .full(message: "\(file): \(message)")
        case .ioError where systemError == ENOSPC || systemError == EDQUOT || systemError == EFBIG:
            self = .full(message: "\(file): \(message): \(String(cString: strerror(systemError)))")
        case .corrupt, .notADatabase:
            self = .damaged(file: file, message: "\(result): \(message)")
        case .busy, .locked:
            self = .busy(message: "\(file) is in use by another process: \(message)")
        default:
            if systemError != 0 { message += ": \(String(cString: strerror(systemError)))" }
            self = .failed(code: result, message: "\(file): \(message)", sql: sql)
        }
    }

    /// An error of the system outside of SQLite, from `errno`.
    static func system(_ number: Int32, _ what: String) -> StoreError {
        let reason = String(cString: strerror(number))
        switch number {
        case ENOSPC, EDQUOT, EFBIG: return .full(message: "\(what): \(reason)")
        default: return .failed(code: .cannotOpen, message: "\(what): \(reason)", sql: "")
        }
    }

    var isFull: Bool {
        if case .full = self { true } else { false }
    }

    var isDamage: Bool {
        if case .damaged = self { true } else { false }
    }
}
