import DequeModule
public import NIOCore
public import NIOPosix

/// Work that takes milliseconds on purpose — hashing passwords — done on a thread pool, a little of it at a time.
///
/// Bounded: beyond ``maximumWaiting`` nothing more is taken. What nobody waits for any more is left out when its turn comes.
///
/// Belongs to the event loop that it is made with.
public final class HashingQueue {
    private struct Job {
        var isWanted: () -> Bool
        var work: @Sendable () -> Bool
        var completion: (Bool?) -> Void
    }

    private let eventLoop: any EventLoop
    private let pool: NIOThreadPool
    /// Jobs on the pool at one time.
    private let width: Int
    private var running = 0
    private var waiting = Deque<Job>()

    /// Jobs that may wait.
    public static let maximumWaiting = 2_000

    /// - Parameters:
    ///   - pool: running; its owner ends it.
    ///   - width: jobs that are on it at one time.
    public init(eventLoop: any EventLoop, pool: NIOThreadPool, width: Int) {
        self.eventLoop = eventLoop
        self.pool = pool
        self.width = width
    }

    /// Has work done.
    ///
    /// - Parameters:
    ///   - isWanted: asked when its turn comes.
    ///   - completion: called on the loop with what the work returns, nil if the pool does not run.
    /// - Returns: false if too much waits; nothing is called then.
    func submit(
        isWanted: @escaping () -> Bool, work: @escaping @Sendable () -> Bool, completion: @escaping (Bool?) -> Void
    ) -> Bool {
        guard waiting.count < HashingQueue.maximumWaiting else { return false }
        waiting.append(Job(isWanted: isWanted, work: work, completion: completion))
        startNext()
        return true
    }

    private func startNext() {
        while running < width, let job = waiting.popFirst() {
            guard job.isWanted() else { continue }
            running += 1
            let bound = NIOLoopBound((self, job.completion), eventLoop: eventLoop)
            pool.runIfActive(eventLoop: eventLoop, job.work).whenComplete { result in
                let (queue, completion) = bound.value
                queue.running -= 1
                completion(try? result.get())
                queue.startNext()
            }
        }
    }
}
