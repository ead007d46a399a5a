import Glibc
import Synchronization

/// A serial executor with a thread of its own, for actors that own a blocking C handle: a serial line, a Modbus
/// connection, the database file.
///
///     actor Line {
///         private let executor = ThreadExecutor(name: "line-1")
///         nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
///     }
///
/// The thread ends when the executor is no longer referenced and its last job is done.
public final class ThreadExecutor: SerialExecutor {
    private let queue: JobQueue

    /// Starts the thread. `name` shows up in `top -H`, cut to 15 bytes.
    public init(name: String) {
        let queue = JobQueue()
        self.queue = queue
        DetachedThread.start(name: name) { queue.run() }
    }

    deinit { queue.close() }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.append { [executor = asUnownedSerialExecutor()] in job.runSynchronously(on: executor) }
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
}

/// Jobs waiting for one thread.
// @unchecked Sendable: `jobs` and `closed` are only touched with `mutex` held.
private final class JobQueue: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [() -> Void] = []
    private var closed = false

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func append(_ job: @escaping () -> Void) {
        pthread_mutex_lock(mutex)
        jobs.append(job)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    func close() {
        pthread_mutex_lock(mutex)
        closed = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    func run() {
        while true {
            pthread_mutex_lock(mutex)
            while jobs.isEmpty && !closed { pthread_cond_wait(condition, mutex) }
            if jobs.isEmpty {
                pthread_mutex_unlock(mutex)
                return
            }
            var batch: [() -> Void] = []
            swap(&batch, &jobs)
            pthread_mutex_unlock(mutex)
            for job in batch { job() }
        }
    }
}

/// A detached POSIX thread that runs one closure.
public enum DetachedThread {
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }

        func run() {
            // A thread may write its own name here, which needs no GNU extension of the C library.
            if let file = fopen("/proc/thread-self/comm", "w") {
                fputs(name, file)
                fclose(file)
            }
            body()
        }
    }

    /// Starts a thread; traps when the system cannot make one. `name` is cut to 15 bytes.
    public static func start(name: String, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(name: String(name.prefix(15)), body: body))
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, entry, start.toOpaque())
        precondition(code == 0, "cannot start a thread: errno \(code)")
        pthread_detach(thread)
    }

    private static let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
    }
}
