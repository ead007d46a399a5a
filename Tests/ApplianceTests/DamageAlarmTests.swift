import Core
import Logging
import Testing

@testable import Appliance
@testable import Store

/// The alarm of damaged files.
@Suite("Alarm of damaged files")
struct DamageAlarmTests {
    private final class Told {
        /// nil for the end of the alarm.
        var payloads: [String?] = []
    }

    private let told = Told()
    private let log = RecordedLog()
    private let alarm: DamageAlarm
    private let old = DamagedFile(path: "/data/cache.db.damaged-5", time: Timestamp(milliseconds: 5))
    private let new = DamagedFile(path: "/data/sessions.db.damaged-7", time: Timestamp(milliseconds: 7))

    init() {
        let (told, log) = (told, log)
        alarm = DamageAlarm(logger: Logger(label: "store") { _ in log.handler }) { payload in
            told.payloads.append(payload.map { String(decoding: $0, as: UTF8.self) })
        }
    }

    @Test("files from before this start are told with what is known of them, in the log too, and once")
    func before() {
        alarm.update([old, new])
        alarm.update([old, new])
        #expect(told.payloads == [
            #"{"time":7,"detail":"/data/sessions.db.damaged-7 was damaged and set aside before this start","#
                + #""files":["/data/cache.db.damaged-5","/data/sessions.db.damaged-7"]}"#,
        ])
        #expect(log.lines == Array(repeating: "warning a damaged file from before is still there; look at it and take it away", count: 2))
    }

    @Test("what was found in this run says what was wrong, as long as its file is there")
    func found() {
        alarm.add([StorageAlarm(file: "/data/sessions.db", message: "bad", setAsideAs: new.path)])
        alarm.update([new])
        #expect(told.payloads.count == 1 && told.payloads[0]?.contains("is damaged (bad)") == true)
        // Who set it aside has said so in the log.
        #expect(log.lines.isEmpty)
    }

    @Test("what was wrong is told also if the file was found before the word of it came")
    func late() {
        alarm.update([new])
        alarm.add([StorageAlarm(file: "/data/sessions.db", message: "bad", setAsideAs: new.path)])
        #expect(told.payloads.count == 2 && told.payloads[1]?.contains("is damaged (bad)") == true)
    }

    @Test("it ends when the last file is taken away, and begins again with another")
    func over() {
        alarm.update([])
        #expect(told.payloads.isEmpty && log.lines.isEmpty)
        alarm.update([old, new])
        alarm.update([old])
        alarm.update([])
        #expect(told.payloads.count == 3 && told.payloads[1]?.contains("sessions") == false && told.payloads[2] == nil)
        #expect(log.lines.last == "notice the damaged files are taken away")
        alarm.update([new])
        #expect(told.payloads.count == 4 && told.payloads[3] != nil)
    }
}
