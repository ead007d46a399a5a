import Broker
import Core
import FieldBus
import Payload

/// Publishes what the drivers read as posts of its devices:
///
///     reading ──▶ calculated points added ──▶ what has not changed left out ──▶ post
///
/// Belongs to the broker's event loop.
final class PointPublisher {
    /// Values that may wait for the loop, over all buses, about 20 MB; the newest reading is refused and counted.
    static let capacity = 200_000

    /// A device on a bus.
    struct Device {
        var identifier: DeviceIdentifier
        /// Of its product.
        var points: PointPlaces
        var formulas: [CalculatedPoints.Formula] = []
        /// nil when every value is published.
        var reporting: PointReporting?
    }

    private final class State {
        let topic: [UInt8]
        var calculated: CalculatedPoints?
        var reporting: PointReporting?
        var latest: LatestSamples

        init(topic: [UInt8], _ device: Device) {
            self.topic = topic
            latest = LatestSamples(device.points)
            calculated = device.formulas.isEmpty ? nil : CalculatedPoints(device.formulas)
            reporting = device.reporting
        }
    }

    private let broker: Broker
    private var post = MeasurepointPost()
    private var nextIdentifier: UInt64 = 1
    private var states: [DeviceIdentifier: State] = [:]
    /// Those with points that can become stale.
    private var agingDevices: [DeviceIdentifier] = []
    /// Values published.
    private(set) var samples: UInt64 = 0

    init(broker: Broker, devices: [Device]) {
        self.broker = broker
        replace(devices, keeping: [])
    }

    /// The last samples of a device, those included that were not published because nothing had changed; nil if it is on no bus.
    func latest(of device: DeviceIdentifier) -> LatestSamples? { states[device]?.latest }

    /// Devices come and go.
    ///
    /// - Parameter kept: those that are as they were and go on with what was published last.
    func replace(_ devices: [Device], keeping kept: Set<DeviceIdentifier>) {
        let old = states
        states = [:]
        agingDevices = []
        for device in devices {
            guard let topic = DeviceTopic.measurepointPost.name(of: device.identifier) else { continue }
            let same = kept.contains(device.identifier) ? old[device.identifier] : nil
            states[device.identifier] = same ?? State(topic: Array(topic.text.utf8), device)
            if device.reporting?.hasStaleness == true { agingDevices.append(device.identifier) }
        }
    }

    func publish(_ reading: DeviceReading, now: MonotonicTime, wall: Timestamp) {
        guard let state = states[reading.device] else { return }
        var samples = reading.samples
        state.calculated?.append(to: &samples, wall: wall)
        state.latest.take(samples)
        if state.reporting != nil { samples = state.reporting?.filter(samples, now: now) ?? samples }
        publish(samples, state, now: now, wall: wall)
    }

    /// Publishes the points that have become stale.
    func tick(now: MonotonicTime, wall: Timestamp) {
        for device in agingDevices {
            guard let state = states[device], var samples = state.reporting?.stale(now: now), !samples.isEmpty else { continue }
            // What is calculated of a stale value is stale too.
            state.calculated?.append(to: &samples, wall: wall)
            state.latest.take(samples)
            publish(samples, state, now: now, wall: wall)
        }
    }

    private func publish(_ samples: [Sample], _ state: State, now: MonotonicTime, wall: Timestamp) {
        self.samples &+= UInt64(samples.count)
        post.write(samples, identifier: &nextIdentifier) { payload, time in
            let message = state.topic.withUnsafeBytes { topic in
                Message.create(topic: topic, payload: payload, qos: .atLeastOnce, retain: false, publishedAt: wall)
            }
            broker.publish(message, now: now, wall: wall)
        }
    }
}
