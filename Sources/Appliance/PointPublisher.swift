import Broker
import Core
import FieldBus
import Payload

/// Publishes what the drivers read as posts of its devices.
///
/// Belongs to the broker's event loop.
final class PointPublisher {
    /// Readings that may wait for the loop, over all buses; the newest is refused and counted.
    static let capacity = 10_000

    private let broker: Broker
    private var post = MeasurepointPost()
    private var nextIdentifier: UInt64 = 1
    private var topics: [DeviceIdentifier: [UInt8]] = [:]
    /// The last samples of each device, for the summary.
    private(set) var latest: [DeviceIdentifier: [String: Sample]] = [:]
    private(set) var samples: UInt64 = 0

    private let keepsLatest: Bool

    /// - Parameter keepsLatest: whether ``latest`` is kept; without a summary nobody asks for it.
    init(broker: Broker, devices: [DeviceIdentifier], keepsLatest: Bool) {
        self.broker = broker
        self.keepsLatest = keepsLatest
        for device in devices {
            if let topic = DeviceTopic.measurepointPost.name(of: device) { topics[device] = Array(topic.text.utf8) }
        }
    }

    func publish(_ reading: DeviceReading, now: MonotonicTime, wall: Timestamp) {
        guard let topic = topics[reading.device] else { return }
        samples &+= UInt64(reading.samples.count)
        if keepsLatest {
            for sample in reading.samples { latest[reading.device, default: [:]][sample.point] = sample }
        }
        post.write(reading.samples, identifier: &nextIdentifier) { payload, time in
            let message = topic.withUnsafeBytes { topic in
                Message.create(topic: topic, payload: payload, qos: .atLeastOnce, retain: false, publishedAt: wall)
            }
            broker.publish(message, now: now, wall: wall)
        }
    }
}
