import Core

/// Why a Modbus request has no result.
enum RequestFailure: Error, Sendable, Hashable {
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
    var isAnswer: Bool {
        if case .exception(let code) = self { code != 10 && code != 11 } else { false }
    }

    /// Whether no device could have been asked.
    var isLine: Bool {
        if case .openFailed = self { true } else { false }
    }

    var reason: QualityReason {
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

    var detail: String {
        switch self {
        case .exception(let code): "Modbus exception \(code)"
        case .timeout: "no answer in time"
        case .badFrame(let text), .broken(let text), .openFailed(let text): text
        }
    }
}
