/// The codes of the platform's answers, in words.
enum EnOSCode {
    static let success = 200
    /// Nobody here answered a command in time.
    static let localTimeout = 6305
    /// There is no answer to be had: too many commands wait already.
    static let tooMany = 429

    /// The device that published is not logged in, as far as the platform knows.
    static func meansLoggedOut(_ code: Int) -> Bool { code == 1009 || code == 1212 }

    static func words(_ code: Int) -> String? {
        switch code {
        case 702: "the device key exists"
        case 705: "there is no such device"
        case 714: "no key could be made"
        case 723: "the device is disabled"
        case 739: "the product is full"
        case 740: "it is no device of this gateway"
        case 742: "the signature is wrong"
        case 746: "TLS is required"
        case 764, 765: "there is no such upgrade task"
        case 770: "dynamic activation is not allowed"
        case 771: "the device may not connect by itself"
        case 1008: "the message is too large"
        case 1009: "the topic may not be written, or the device is not logged in"
        case 1101: "there is no handler"
        case 1102, 500: "the handler failed"
        case 1200: "it cannot be read, or the sender is no gateway"
        case 1204: "a value does not fit the model"
        case 1206: "the batch is malformed"
        case 1207, 1208, 1209: "the attributes are malformed"
        case 1212: "a device is not logged in, or no device of this gateway"
        case 1220: "the payload is not JSON, or malformed"
        case 1251: "the payload is empty"
        case 1255, 1256: "the topology could not be changed"
        case 1257: "the device was not found"
        case 1260: "the method does not belong to the topic"
        case 400, 460: "a parameter is wrong"
        case 401: "not authorized"
        case 402: "there is no device"
        case 429: "too many requests"
        case 6205: "time-out at the platform"
        case 6207: "it is not JSON"
        case 6305: "time-out at the gateway"
        case 10001: "nobody answers RRPC"
        default: nil
        }
    }

    /// `1204 (a value does not fit the model)`
    static func text(_ code: Int) -> String { words(code).map { "\(code) (\($0))" } ?? "\(code)" }
}
