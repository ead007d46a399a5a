// A SunSpec device has its models in holding registers, one behind the other (SunSpec Device Information Model
// Specification, "Modbus register mapping"):
//
//     base ─▶ "SunS" │ model, length │ registers… │ model, length │ registers… │ 0xFFFF, 0
//
// Nothing that a device answers leads elsewhere than on to higher addresses, so that a walk ends by itself.

/// What there is in a SunSpec device.
public struct SunSpecDevice: Sendable {
    /// A model that the device has.
    public struct Model: Sendable {
        /// 1 for the common model, 103 for a three-phase inverter…
        public var identifier: Int
        /// Of its first register behind the header.
        public var address: Int
        /// Its registers, without the header.
        public var length: Int
        /// nil if they were not read: the model is not known here, or the device refused.
        public var registers: [UInt16]?

        /// nil for a model that is not known here.
        public var name: String? { SunSpecModel.model(identifier)?.name }
    }

    /// How the list of models ended.
    public enum End: Sendable, Equatable {
        /// As it should.
        case endModel
        /// A length leads beyond register 65535.
        case pastLastRegister
        /// After ``SunSpecDevice/maxModels``.
        case tooMany
        /// The next header could not be read.
        case failed(RequestFailure)
    }

    /// Where models may begin, in the order in which they are looked for.
    public static let bases = [40_000, 0, 50_000]
    /// The most models that are walked.
    public static let maxModels = 200

    public internal(set) var base: Int
    public internal(set) var models: [Model]
    public internal(set) var end: End

    /// Looks for the base and walks the models.
    ///
    /// - Parameter read: reads 1…125 holding registers; returns as many as it was asked for.
    /// - Returns: nil if the device answers and has no models.
    /// - Throws: the failure, if the device did not answer where models may begin.
    public static func walk(
        _ read: (_ address: Int, _ quantity: Int) throws(RequestFailure) -> [UInt16]
    ) throws(RequestFailure) -> SunSpecDevice? {
        var silence: RequestFailure?
        var hasAnswered = false
        for base in bases {
            do throws(RequestFailure) {
                let mark = try read(base, 2)
                hasAnswered = true
                // "SunS"
                if mark == [0x5375, 0x6E53] { return walk(from: base, read) }
            } catch {
                if error.isAnswer { hasAnswered = true } else { silence = error }
            }
        }
        if let silence, !hasAnswered { throw silence }
        return nil
    }

    private static func walk(
        from base: Int, _ read: (Int, Int) throws(RequestFailure) -> [UInt16]
    ) -> SunSpecDevice {
        var device = SunSpecDevice(base: base, models: [], end: .endModel)
        var address = base + 2
        while true {
            guard address + 2 <= 65_536 else {
                device.end = .pastLastRegister
                return device
            }
            let header: [UInt16]
            do throws(RequestFailure) {
                header = try read(address, 2)
            } catch {
                device.end = .failed(error)
                return device
            }
            guard header.count == 2, header[0] != 0xFFFF else { return device }
            let length = Int(header[1])
            address += 2
            guard address + length <= 65_536 else {
                device.end = .pastLastRegister
                return device
            }
            guard device.models.count < maxModels else {
                device.end = .tooMany
                return device
            }
            var model = Model(identifier: Int(header[0]), address: address, length: length)
            if model.name != nil { model.registers = registers(address, length, read) }
            device.models.append(model)
            address += length
        }
    }

    /// nil if a part of them is refused.
    private static func registers(
        _ address: Int, _ length: Int, _ read: (Int, Int) throws(RequestFailure) -> [UInt16]
    ) -> [UInt16]? {
        // Of a model that is too long for its kind no more than 4000 registers mean anything.
        let wanted = min(length, 4000)
        var registers: [UInt16] = []
        while registers.count < wanted {
            let quantity = min(125, wanted - registers.count)
            guard let part = try? read(address + registers.count, quantity), part.count == quantity else { return nil }
            registers += part
        }
        return registers
    }
}
