import Console
import Core
import FieldBus

extension MetricsPage {
    private typealias Sample = OpenMetricsWriter.Sample

    mutating func writeBuses(_ buses: [BusStatus]) {
        guard !buses.isEmpty else { return }
        func samples(_ value: (BusStatus) -> UInt64) -> [Sample] { buses.map { Sample([("bus", $0.name)], value($0)) } }
        writer.gauge(
            "martlet_bus_open", help: "1 while the line can be used.",
            buses.map { Sample([("bus", $0.name), ("protocol", $0.protocolName)], $0.isOpen ? 1 : 0) })
        writer.counter("martlet_bus_opens", help: "How often the line was opened.", samples(\.opens))
        writer.counter("martlet_bus_requests", help: "Requests sent, retries and probes included.", samples(\.requests))
        writer.counter("martlet_bus_errors", help: "Requests without an answer that can be believed.", samples(\.errors))
        writer.counter("martlet_bus_exceptions", help: "Requests that a device refused.", samples(\.exceptions))
        writer.counter("martlet_bus_values", help: "Values delivered, whatever their quality.", samples(\.samples))
        writer.counter("martlet_bus_overruns", help: "Polls left out because the bus was too slow for its intervals.", samples(\.overruns))
        writer.counter(
            "martlet_bus_busy_seconds", unit: "seconds", help: "Time in which the line was in use.",
            buses.map { Sample([("bus", $0.name)], MetricsPage.seconds($0.busy)) })
        writeDevices(buses)
    }

    private mutating func writeDevices(_ buses: [BusStatus]) {
        func samples(_ value: (DeviceStatus) -> UInt64) -> [Sample] {
            buses.flatMap { bus in bus.devices.map { Sample(MetricsPage.labels($0, of: bus), value($0)) } }
        }
        writer.gauge("martlet_device_good", help: "1 while the device answers.", samples { $0.quality.isGood ? 1 : 0 })
        writer.counter("martlet_device_requests", help: "Requests to the device.", samples(\.requests))
        writer.counter("martlet_device_errors", help: "Of those, without an answer that can be believed.", samples(\.errors))
        writer.gauge(
            "martlet_device_missing_points", help: "Points that the device does not have.",
            samples { UInt64(clamping: $0.missingPoints) })
        writer.gauge(
            "martlet_device_answer_seconds", unit: "seconds",
            help: "How long the device takes to answer, its frames included: the median and what 99 of 100 answers keep to.",
            buses.flatMap { bus in
                bus.devices.flatMap { device in
                    [("0.5", 0.5), ("0.99", 0.99)].compactMap { name, share in
                        device.answerTimes.percentile(share).map {
                            Sample(MetricsPage.labels(device, of: bus) + [("quantile", name)], MetricsPage.seconds($0))
                        }
                    }
                }
            })
    }

    private static func labels(_ device: DeviceStatus, of bus: BusStatus) -> [(String, String)] {
        [("bus", bus.name), ("device", device.device.description)]
    }

    private static func seconds(_ duration: Duration) -> Double { Double(duration.wholeNanoseconds) / 1e9 }
}
