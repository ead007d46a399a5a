import Core
import Payload

// The devices and metrics that are known, from the configuration and from what was said.

extension SparkplugForm {
    func add(_ device: FormDevice) {
        let identifier = DeviceIdentifier(productKey: device.product, deviceKey: device.key)
        guard let index = index(of: identifier) else { return }
        for point in device.points where devices[index].tags.index(named: point.identifier) == nil {
            guard takeMetric() else { return }
            devices[index].tags.append(
                SparkplugTag(
                    name: point.identifier, alias: takeAlias(), type: SparkplugDataType(point.type), isTypeFixed: true, unit: point.unit,
                    access: point.isWritable ? .writable : .readOnly))
        }
    }

    /// A device's place in ``devices``, made if it is new.
    ///
    /// - Returns: nil if there are too many, or another device has its name.
    func index(of identifier: DeviceIdentifier) -> Int? {
        if let index = deviceIndices[identifier] { return index }
        guard devices.count < Self.maximumDevices else {
            tell("devices", "more than \(Self.maximumDevices) devices; those beyond are left out")
            return nil
        }
        let name = deviceName.name(of: identifier)
        guard DeviceTopic.isKey(name) else {
            tell("name \(identifier)", "device \(identifier) has no name that Sparkplug takes; it is left out")
            return nil
        }
        guard deviceIndicesByName[name] == nil else {
            tell("name \(identifier)", "devices \(devices[deviceIndicesByName[name] ?? 0].identifier) and \(identifier) would both be called \(name); the second is left out")
            return nil
        }
        let index = devices.count
        devices.append(SparkplugDevice(identifier: identifier, name: name))
        deviceIndices[identifier] = index
        deviceIndicesByName[name] = index
        return index
    }

    /// The place of a metric that a device's item belongs to, made if it is new; whatever is new needs a birth.
    ///
    /// - Returns: nil for a metric that is new and has no value, or if there are too many.
    func tag(_ name: String, of value: DevicePost.Value, access: SparkplugTag.Access, device index: Int) -> Int? {
        if let tag = devices[index].tags.index(named: name) {
            if devices[index].tags[tag].widen(for: value) { devices[index].isBorn = false }
            return tag
        }
        guard let type = SparkplugDataType(of: value), takeMetric() else { return nil }
        devices[index].isBorn = false
        devices[index].tags.append(SparkplugTag(name: name, alias: takeAlias(), type: type, isTypeFixed: false, access: access))
        return devices[index].tags.list.count - 1
    }

    /// As ``tag(_:of:access:device:)`` for a topic that is no device's: a metric of the node, which holds text or else bytes.
    func nodeTag(_ name: String, of value: SparkplugWireValue) -> Int? {
        if let tag = nodeTags.index(named: name) { return tag }
        guard takeMetric() else { return nil }
        let type: SparkplugDataType = if case .string = value { .string } else { .bytes }
        nodeTags.append(SparkplugTag(name: name, alias: takeAlias(), type: type, isTypeFixed: true, access: .readOnly))
        needsNodeBirth = true
        return nodeTags.list.count - 1
    }

    private func takeMetric() -> Bool {
        guard metricCount < Self.maximumMetrics else {
            tell("metrics", "more than \(Self.maximumMetrics) metrics; those beyond are left out")
            return false
        }
        metricCount += 1
        return true
    }
}
