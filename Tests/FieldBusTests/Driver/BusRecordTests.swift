import Core
import Synchronization
import Testing

@testable import FieldBus

@Suite("The record of a bus")
struct BusRecordTests {
    private let device = DeviceIdentifier(productKey: "p", deviceKey: "d")

    /// A record, and what it has told.
    private func record() -> (record: BusRecord, told: Told) {
        let record = BusRecord(name: "line", protocolName: "modbus-tcp", devices: [device])
        let told = Told()
        record.begin(deliver: { _ in }, events: { event in told.events.withLock { $0.append(event) } })
        return (record, told)
    }

    private final class Told: Sendable {
        let events = Mutex<[BusEvent]>([])
        var all: [BusEvent] { events.withLock { $0 } }
    }

    @Test("a request counts once, with its time and with what it has shown of line and device")
    func request() {
        let (record, told) = record()
        record.requested(0, .answered(after: .milliseconds(3)), spent: .milliseconds(5), line: .up)
        record.requested(0, .answered(after: .milliseconds(3), isException: true), spent: .milliseconds(5), line: .up)
        record.requested(0, .unanswered, spent: .milliseconds(50), line: .up)
        let status = record.status(now: SystemClock.monotonic())
        #expect(status.requests == 3 && status.errors == 1 && status.exceptions == 1 && status.opens == 1 && status.isOpen)
        #expect(status.busy == .milliseconds(60))
        #expect(told.all == [.opened, .deviceGood(device)])
    }

    @Test("a line that cannot be opened is told once, and once more when it is back")
    func reopened() {
        let (record, told) = record()
        for _ in 0..<2 { record.requested(0, .unanswered, spent: .zero, line: .down("no route")) }
        #expect(!record.takeReopened() && !record.status(now: SystemClock.monotonic()).isOpen)
        record.requested(0, .answered(after: nil), spent: .zero, line: .up)
        #expect(told.all == [.openFailed(detail: "no route"), .opened, .deviceGood(device)])
        #expect(record.takeReopened())
        #expect(!record.takeReopened())
    }

    @Test("points that a reading holds without a value are missing until one has it")
    func missing() {
        let (record, _) = record()
        func sample(_ point: String, _ value: Value?) -> Sample {
            Sample(point: point, value: value, quality: value == nil ? .bad(.illegalDataAddress) : .good, time: Timestamp(milliseconds: 0))
        }
        record.requested(0, .answered(after: nil), spent: .zero, reading: [sample("a", nil), sample("b", .int(1))])
        #expect(record.status(now: SystemClock.monotonic()).devices[0].missingPoints == 1)
        record.heard([sample("a", .int(2))], of: 0)
        #expect(record.status(now: SystemClock.monotonic()).devices[0].missingPoints == 0)
    }
}
