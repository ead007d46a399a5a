import Core

/// The sub-devices' sessions with the platform: who is logged in, who is to be, and when the next attempt is due.
struct EnOSSessions {
    enum State: Equatable {
        /// Not tried on this connection.
        case offline
        /// Named in the request with this number.
        case loggingIn(request: UInt64)
        case online
        /// Refused, or not answered: to be tried again.
        case refused(until: MonotonicTime)
        /// By the platform, until it says otherwise.
        case disabled
    }

    struct Device {
        let identifier: DeviceIdentifier
        var secret: [UInt8]
        var state = State.offline
        /// Attempts that failed, one after the other.
        var failures = 0
    }

    struct Request {
        var devices: [Int]
        var deadline: MonotonicTime
    }

    /// The wait after a refused login, which doubles with each up to the longest.
    static let shortestWait = Duration.seconds(5)
    static let longestWait = Duration.seconds(300)

    private(set) var devices: [Device] = []
    private var index: [DeviceIdentifier: Int] = [:]
    private var requests: [UInt64: Request] = [:]
    /// Of them are `online` or `loggingIn`.
    private(set) var occupied = 0

    /// The devices of the secret's file, as it is now. Nobody is connected.
    mutating func update(_ secrets: [(identifier: DeviceIdentifier, secret: [UInt8])]) {
        let disabled = Set(devices.filter { $0.state == .disabled }.map(\.identifier))
        devices = secrets.map { entry in
            Device(
                identifier: entry.identifier, secret: entry.secret,
                state: disabled.contains(entry.identifier) ? .disabled : .offline)
        }
        index = [:]
        for (number, device) in devices.enumerated() { index[device.identifier] = number }
        requests = [:]
        occupied = 0
    }

    /// The connection is gone, or a new one is there: nobody is logged in.
    mutating func loggedOut() {
        for number in devices.indices where devices[number].state != .disabled {
            devices[number].state = .offline
            devices[number].failures = 0
        }
        requests = [:]
        occupied = 0
    }

    /// nil for a device without a secret.
    func state(of device: DeviceIdentifier) -> State? { index[device].map { devices[$0].state } }

    /// Those to log in now, as far as there is room.
    func due(now: MonotonicTime, maximumOnline: Int) -> [Int] {
        var due: [Int] = []
        for number in devices.indices where occupied + due.count < maximumOnline {
            switch devices[number].state {
            case .offline: due.append(number)
            case .refused(let until) where until <= now: due.append(number)
            default: break
            }
        }
        return due
    }

    /// There is room for more than are logged in or on their way.
    func hasRoom(_ maximumOnline: Int) -> Bool { occupied < maximumOnline }

    mutating func sent(_ numbers: [Int], request: UInt64, deadline: MonotonicTime) {
        for number in numbers { setState(.loggingIn(request: request), of: number) }
        requests[request] = Request(devices: numbers, deadline: deadline)
    }

    /// The devices of a request that is answered; nil for one that is not known, or no longer.
    mutating func answered(_ request: UInt64) -> [Int]? { requests.removeValue(forKey: request)?.devices }

    mutating func succeeded(_ number: Int) {
        devices[number].failures = 0
        setState(.online, of: number)
    }

    mutating func failed(_ number: Int, now: MonotonicTime) {
        let wait = min(Self.longestWait, Self.shortestWait * (1 << min(devices[number].failures, 10)))
        devices[number].failures += 1
        setState(.refused(until: now + wait), of: number)
    }

    /// The platform does not know of the login, or not any more.
    ///
    /// - Returns: whether it is a device that was taken to be logged in.
    mutating func loggedOut(_ device: DeviceIdentifier, now: MonotonicTime) -> Bool {
        guard let number = index[device], devices[number].state == .online else { return false }
        setState(.refused(until: now), of: number)
        return true
    }

    mutating func setDisabled(_ isDisabled: Bool, _ device: DeviceIdentifier) {
        guard let number = index[device] else { return }
        if isDisabled {
            setState(.disabled, of: number)
        } else if devices[number].state == .disabled {
            devices[number].failures = 0
            setState(.offline, of: number)
        }
    }

    /// Requests that the platform has not answered. Their devices are to be tried again.
    ///
    /// - Returns: one device of each, for the log.
    mutating func takeExpired(now: MonotonicTime) -> [DeviceIdentifier] {
        let expired = requests.filter { $0.value.deadline <= now }.sorted { $0.key < $1.key }
        return expired.compactMap { number, request in
            requests[number] = nil
            for device in request.devices where devices[device].state == .loggingIn(request: number) {
                failed(device, now: now)
            }
            return request.devices.first.map { devices[$0].identifier }
        }
    }

    private mutating func setState(_ state: State, of number: Int) {
        if devices[number].isOccupying { occupied -= 1 }
        devices[number].state = state
        if devices[number].isOccupying { occupied += 1 }
    }
}

extension EnOSSessions.Device {
    /// Takes one of the places that a gateway has.
    fileprivate var isOccupying: Bool {
        switch state {
        case .online, .loggingIn: true
        case .offline, .refused, .disabled: false
        }
    }
}
