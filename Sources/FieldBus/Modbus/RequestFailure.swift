public import Core

/// Why a Modbus request has no result.
public enum RequestFailure: Error, Sendable, Hashable {
    /// The device answered with this exception code (Modbus Application Protocol 1.1b3 §7).
    case exception(Int)
    /// No whole answer came in time.
    case timeout
    /// An answer came that must not be believed: check sum, length, function or transaction are wrong.
    case badFrame(String)
    /// The connection or the serial port broke during the request.
    case broken(String)
    /// The connection or the serial port could not be opened.
    case openFailed(String)

    /// Whether the device answered, if only to refuse. A gateway's word that its device does not is no answer.
    public var isAnswer: Bool {
        if case .exception(let code) = self { code != 10 && code != 11 } else { false }
    }

    /// Whether no device could have been asked.
    var isLine: Bool {
        if case .openFailed = self { true } else { false }
    }

    public var reason: QualityReason {
        switch self {
        case .exception(let code):
            switch code {
            case 1: .illegalFunction
            case 2: .illegalDataAddress
            case 3: .illegalDataValue
            case 5, 6: .deviceBusy
            case 10, 11: .gatewayTargetFailed
            default: .deviceFailure
            }
        case .timeout: .timeout
        case .badFrame: .badResponse
        case .broken, .openFailed: .notConnected
        }
    }

    /// For people.
    public var detail: String {
        switch self {
        case .exception(let code): "exception \(code): \(RequestFailure.exceptionName(code))"
        case .timeout: "no answer in time"
        case .badFrame(let text), .broken(let text), .openFailed(let text): text
        }
    }

    /// The standard's name of an exception code (Modbus Application Protocol 1.1b3 §7).
    static func exceptionName(_ code: Int) -> String {
        switch code {
        case 1: "illegal function"
        case 2: "illegal data address"
        case 3: "illegal data value"
        case 4: "server device failure"
        case 5: "acknowledge"
        case 6: "server device busy"
        case 7: "negative acknowledge"
        case 8: "memory parity error"
        case 10: "gateway path unavailable"
        case 11: "gateway target device failed to respond"
        default: "unknown"
        }
    }
}
