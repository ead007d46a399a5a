import Core
import FieldBus
import Payload

extension BusStatus {
    /// A JSON object, for a topic.
    var json: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("protocol")
        writer.string(protocolName)
        writer.name("open")
        writer.bool(isOpen)
        writer.member("devices", Int64(devices.count))
        writer.member("devicesGood", Int64(devices.count { $0.quality.isGood }))
        writer.member("opens", Int64(clamping: opens))
        writer.member("requests", Int64(clamping: requests))
        writer.member("errors", Int64(clamping: errors))
        writer.member("exceptions", Int64(clamping: exceptions))
        writer.member("values", Int64(clamping: samples))
        writer.member("overruns", Int64(clamping: overruns))
        writer.name("busyShare")
        writer.real((busyShare * 1000).rounded() / 1000)
        writer.endObject()
        return writer.finish()
    }
}

extension DeviceStatus {
    /// A JSON object, for a topic. What is not known is left out.
    var json: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("quality")
        switch quality {
        case .good: writer.string("good")
        case .uncertain(let reason):
            writer.string("uncertain")
            writer.name("reason")
            writer.string(reason.rawValue)
        case .bad(let reason):
            writer.string("bad")
            writer.name("reason")
            writer.string(reason.rawValue)
        }
        if let lastAnswer { writer.member("lastAnswer", lastAnswer.milliseconds) }
        if let backOff { writer.member("nextTryMs", backOff.wholeMilliseconds) }
        writer.member("requests", Int64(clamping: requests))
        writer.member("errors", Int64(clamping: errors))
        writer.member("missingPoints", Int64(missingPoints))
        if let median = answerTimes.percentile(0.5), let slow = answerTimes.percentile(0.99) {
            writer.name("answerMsP50")
            writer.real(DeviceStatus.milliseconds(median))
            writer.name("answerMsP99")
            writer.real(DeviceStatus.milliseconds(slow))
        }
        writer.endObject()
        return writer.finish()
    }
    /// With one digit behind the point.
    private static func milliseconds(_ duration: Duration) -> Double { (Double(duration.wholeNanoseconds) / 1e5).rounded() / 10 }
}
