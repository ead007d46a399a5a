/// The elementary data types of IEC 61131-3 that a measurement point can have.
public enum PointType: String, Sendable, CaseIterable {
    case bool = "BOOL"
    case int = "INT"
    case uint = "UINT"
    case dint = "DINT"
    case udint = "UDINT"
    case lint = "LINT"
    case ulint = "ULINT"
    case real = "REAL"
    case lreal = "LREAL"
    case string = "STRING"
}

/// The value of a measurement point at one moment.
public enum Value: Sendable, Hashable {
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case real(Float)
    case lreal(Double)
    case string(String)
}

/// Names a device: product key and device key, as in `/sys/{productKey}/{deviceKey}/…`.
public struct DeviceIdentifier: Sendable, Hashable, CustomStringConvertible {
    public var productKey: String
    public var deviceKey: String

    public init(productKey: String, deviceKey: String) {
        self.productKey = productKey
        self.deviceKey = deviceKey
    }

    public var description: String { "\(productKey)/\(deviceKey)" }
}

/// How far a value can be trusted, with the reason when it cannot.
public enum Quality: Sendable, Hashable {
    case good
    case uncertain(QualityReason)
    case bad(QualityReason)

    public var isGood: Bool { self == .good }

    public var reason: QualityReason? {
        switch self {
        case .good: nil
        case .uncertain(let reason), .bad(let reason): reason
        }
    }
}

/// Why a value is not good. The raw values are what leaves the box in a post's `reason` and what logs show.
public enum QualityReason: String, Sendable, Hashable, CaseIterable {
    /// No reading has been tried yet.
    case notYetRead = "not-yet-read"
    /// The device did not answer in time.
    case timeout = "timeout"
    /// The connection or the serial line could not be opened, or broke.
    case notConnected = "not-connected"
    /// Modbus exception 1: the device does not know the function.
    case illegalFunction = "illegal-function"
    /// Modbus exception 2: the device has no such register.
    case illegalDataAddress = "illegal-data-address"
    /// Modbus exception 3: the device refuses the value or the quantity.
    case illegalDataValue = "illegal-data-value"
    /// Modbus exception 4: the device failed inside.
    case deviceFailure = "device-failure"
    /// Modbus exceptions 5 and 6: the device is busy.
    case deviceBusy = "device-busy"
    /// Modbus exceptions 10 and 11: the gateway cannot reach the device.
    case gatewayTargetFailed = "gateway-target-failed"
    /// The answer's check sum, length or content is wrong.
    case badResponse = "bad-response"
    /// The value does not fit the point's type or range (NaN, text that is not UTF-8, overflow after scaling).
    case outOfRange = "out-of-range"
    /// Pulses came faster than they could be counted, or while nobody counted.
    case edgesLost = "edges-lost"
    /// There has been no new value for longer than the point allows; this is the last one.
    case stale = "stale"
    /// The expression of a calculated point has no value.
    case notCalculated = "not-calculated"
}

/// One reading of one measurement point: value, quality and source time stay together from the register to the cloud.
public struct Sample: Sendable, Hashable {
    /// The point's identifier within its product.
    public var point: String
    /// nil when there is nothing to show, which is always so with quality `bad`.
    public var value: Value?
    public var quality: Quality
    /// When the value was true at its source: for a polled register the moment its answer arrived.
    public var time: Timestamp

    public init(point: String, value: Value?, quality: Quality, time: Timestamp) {
        self.point = point
        self.value = value
        self.quality = quality
        self.time = time
    }
}
