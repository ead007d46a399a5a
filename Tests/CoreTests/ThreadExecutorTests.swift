import Core
import Synchronization
import Testing

@Suite("ThreadExecutor and Mailbox")
struct ThreadExecutorTests {
    actor Counter {
        private let executor = ThreadExecutor(name: "counter")
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
        private var count = 0

        func add() -> Int {
            count += 1
            return count
        }
    }

    @Test("an actor pinned to a thread runs every call, one after the other")
    func serial() async {
        let counter = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<100 { group.addTask { _ = await counter.add() } }
        }
        #expect(await counter.add() == 101)
    }

    @Test("a full mailbox refuses the newest element and wakes its reader once")
    func mailbox() {
        let wakeUps = Mutex(0)
        let mailbox = Mailbox<Int>(capacity: 2) { wakeUps.withLock { $0 += 1 } }
        #expect(mailbox.post(1))
        #expect(mailbox.post(2))
        #expect(!mailbox.post(3))
        #expect(mailbox.drain() == [1, 2])
        #expect(mailbox.refused == 1)
        #expect(mailbox.post(4))
        #expect(wakeUps.withLock { $0 } == 2)
    }
}
