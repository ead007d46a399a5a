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

    @Test("a mailbox counts what its elements count, and takes one that is larger than itself when nothing waits")
    func sizes() {
        let mailbox = Mailbox<[Int]>(capacity: 3, size: \.count) {}
        #expect(mailbox.post([1, 2]))
        #expect(!mailbox.post([3, 4]))
        #expect(mailbox.post([5]))
        #expect(mailbox.refused == 2)
        #expect(mailbox.drain() == [[1, 2], [5]])
        #expect(mailbox.post([1, 2, 3, 4, 5]))
        #expect(!mailbox.post([6]))
        #expect(mailbox.drain().count == 1 && mailbox.refused == 3)
    }
}
