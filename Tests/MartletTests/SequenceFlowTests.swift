import TestSupport
import Testing

@testable import martlet

@Suite("Sequence flow")
struct SequenceFlowTests {
    private func arrivals(_ sequences: [UInt32]) -> ([SequenceFlow.Arrival], SequenceFlow) {
        var flow = SequenceFlow()
        return (sequences.map { flow.record($0) }, flow)
    }

    /// How many of the first numbers have not arrived: those that are no duplicates if they come now.
    private func lost(_ flow: SequenceFlow, of sent: UInt32) -> Int {
        var flow = flow
        return (0..<sent).reduce(0) { flow.record($1) == .duplicate ? $0 : $0 + 1 }
    }

    @Test("everything in order is neither lost, late nor double")
    func inOrder() {
        let (found, flow) = arrivals([0, 1, 2, 3])
        #expect(found == [.inOrder, .inOrder, .inOrder, .inOrder])
        #expect(lost(flow, of: 4) == 0)
    }

    @Test("what was skipped is lost until it comes, and then late")
    func late() {
        let (found, flow) = arrivals([0, 4, 2, 5])
        #expect(found == [.inOrder, .inOrder, .late, .inOrder])
        #expect(lost(flow, of: 6) == 2)
    }

    @Test("the tail that never came is lost")
    func tail() {
        let (_, flow) = arrivals([0, 1])
        #expect(lost(flow, of: 10) == 8)
    }

    @Test("a second arrival is a duplicate, also of one that was late")
    func duplicates() {
        let (found, flow) = arrivals([0, 0, 3, 1, 1, 3, 2, 2])
        #expect(found == [.inOrder, .duplicate, .inOrder, .late, .duplicate, .duplicate, .late, .duplicate])
        #expect(lost(flow, of: 4) == 0)
    }

    @Test("any mix of loss, repetition and disorder is counted as a set of numbers counts it")
    func agreesWithAModel() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededRandom(seed: seed)
        for _ in 0..<300 {
            let sent = UInt32.random(in: 1...60, using: &generator)
            var flow = SequenceFlow()
            var seen: Set<UInt32> = []
            for _ in 0..<Int.random(in: 0...120, using: &generator) {
                let sequence = UInt32.random(in: 0..<sent, using: &generator)
                let expected: SequenceFlow.Arrival =
                    seen.contains(sequence) ? .duplicate : seen.allSatisfy { $0 < sequence } ? .inOrder : .late
                let found = flow.record(sequence)
                #expect(found == expected, "seed \(seed)")
                seen.insert(sequence)
            }
            #expect(lost(flow, of: sent) == Int(sent) - seen.count, "seed \(seed)")
        }
    }
}

@Suite("Message stamp")
struct MessageStampTests {
    @Test("what was written is read")
    func roundTrip() {
        var payload = [UInt8](repeating: 0xFF, count: 40)
        let stamp = MessageStamp(round: .max, publisher: 7, sequence: 1_000_000_000, sentAt: 1_234_567_890_123)
        payload.withUnsafeMutableBytes { stamp.write(to: $0) }
        #expect(payload.withUnsafeBytes { MessageStamp($0) } == stamp)
    }

    @Test("a payload that is too short has none")
    func tooShort() {
        let payload = [UInt8](repeating: 0, count: MessageStamp.size - 1)
        #expect(payload.withUnsafeBytes { MessageStamp($0) } == nil)
        #expect(MessageStamp(UnsafeRawBufferPointer(start: nil, count: 0)) == nil)
    }
}
