import Core
import Logging
import Payload
import Store

/// That a damaged file was set aside is said until somebody has taken the file away, over restarts too: as a retained event,
/// and in the metrics and `$SYS`.
///
/// Belongs to the broker's event loop.
final class DamageAlarm {
    static let topic = "$events/storage/damaged"

    /// The oldest first.
    private(set) var files: [DamagedFile] = []
    /// What is known of them and of those that are gone, by path: few are kept.
    private var details: [String: String] = [:]
    private let logger: Logger
    /// Takes what is to be retained; nil when the alarm is over.
    private let changed: (_ payload: [UInt8]?) -> Void

    init(logger: Logger, changed: @escaping (_ payload: [UInt8]?) -> Void) {
        self.logger = logger
        self.changed = changed
    }

    /// A file was set aside, which a later call of ``update(_:)`` will have.
    func add(_ alarms: [StorageAlarm]) {
        for alarm in alarms { details[alarm.setAsideAs] = "\(alarm)" }
        // The files may have been found before the word of them came.
        if files.contains(where: { file in alarms.contains { $0.setAsideAs == file.path } }) { changed(payload) }
    }

    /// Tells what is there now, if it is something else than before.
    func update(_ files: [DamagedFile]) {
        guard files != self.files else { return }
        let known = Set(self.files)
        self.files = files
        for file in files where !known.contains(file) && details[file.path] == nil {
            logger.warning("a damaged file from before is still there; look at it and take it away", metadata: ["file": "\(file.path)"])
        }
        if files.isEmpty { logger.notice("the damaged files are taken away") }
        changed(payload)
    }

    /// The newest file's time, what is known of it, and the paths of all; nil if there is none.
    private var payload: [UInt8]? {
        guard let newest = files.last else { return nil }
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("time", newest.time.milliseconds)
        writer.name("detail")
        writer.string(details[newest.path] ?? "\(newest.path) was damaged and set aside before this start")
        writer.name("files")
        writer.beginArray()
        for file in files { writer.string(file.path) }
        writer.endArray()
        writer.endObject()
        return writer.finish()
    }
}
