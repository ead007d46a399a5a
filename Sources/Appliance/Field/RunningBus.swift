import Configuration
import Core
import FieldBus
import Synchronization

/// A bus that works: its driver, and the commands that wait for its devices.
final class RunningBus: Sendable {
    /// What a bus is made of. One that has not changed goes on when the configuration is read again.
    struct Source: Sendable, Equatable {
        var bus: MartletConfiguration.Bus
        var devices: [MartletConfiguration.Device]
        var products: [MartletConfiguration.Product]
        /// The names of ports and lines.
        var board: BoardProfile

        init(_ bus: MartletConfiguration.Bus, in plan: AppliancePlan) {
            let configuration = plan.configuration
            board = plan.board
            self.bus = bus
            let devices = configuration.devices.filter { $0.bus == bus.name }
            self.devices = devices
            products = configuration.products.filter { product in devices.contains { $0.product == product.key } }
        }
    }

    let source: Source
    let driver: any FieldBusDriver
    let devices: [DeviceIdentifier]
    private let commands = AsyncStream.makeStream(
        of: CommandClient.Command.self, bufferingPolicy: .bufferingOldest(CommandClient.maximumWaiting))
    private let isStopping = Atomic(false)
    private let stopping = AsyncStream.makeStream(of: Void.self)
    private let hasEnded = Atomic(false)

    /// Opens nothing yet.
    init(_ plan: any BusPlan, source: Source) throws(FieldBusError) {
        self.source = source
        devices = plan.deviceIdentifiers
        driver = try plan.makeDriver()
    }

    var name: String { driver.name }

    /// Where commands wait.
    var queue: AsyncStream<CommandClient.Command>.Continuation { commands.continuation }

    /// Polls and carries out commands until ``stop()``.
    ///
    /// - Parameter finish: takes what became of a command.
    func work(
        deliver: @escaping @Sendable (DeviceReading) -> Void, events: @escaping @Sendable (BusEvent) -> Void,
        finish: @escaping @Sendable (CommandClient.Command, [WriteResult]) -> Void
    ) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.carryOutCommands(finish) }
            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await self.driver.run(deliver: deliver, events: events) }
                for await _ in self.stopping.stream {}
                tasks.cancelAll()
            }
            self.commands.continuation.finish()
        }
        hasEnded.store(true, ordering: .releasing)
    }

    private func carryOutCommands(_ finish: @Sendable (CommandClient.Command, [WriteResult]) -> Void) async {
        for await command in commands.stream {
            // What still waits when the bus stops is answered and not carried out: the line is closed by then.
            let results =
                isStopping.load(ordering: .relaxed)
                ? command.values.map { WriteResult(point: $0.point, outcome: .failed(.notConnected)) }
                : await driver.write(device: command.device, values: command.values)
            finish(command, results)
        }
    }

    /// Ends ``work(deliver:events:finish:)``.
    func stop() {
        isStopping.store(true, ordering: .relaxed)
        stopping.continuation.finish()
    }

    /// Waits until the line is closed.
    ///
    /// - Returns: whether it is.
    func end(by deadline: MonotonicTime) async -> Bool {
        while !hasEnded.load(ordering: .acquiring) {
            guard SystemClock.monotonic() < deadline else { return false }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return true
    }
}
