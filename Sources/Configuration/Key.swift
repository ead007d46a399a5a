/// The declaration of one key of a table: name, type, default, allowed values, unit and help.
package struct Key<Root: ConfigurationTable>: Sendable {
    /// When a key has a meaning, told by other keys of its table.
    package struct Condition: Sendable {
        /// The keys that `holds` looks at.
        package let keys: [String]
        /// Completes "only when …".
        package let text: String
        package let holds: @Sendable (Root) -> Bool

        package init(_ keys: String..., text: String, holds: @escaping @Sendable (Root) -> Bool) {
            self.keys = keys
            self.text = text
            self.holds = holds
        }
    }

    package enum Requirement {
        case optional
        /// Must be in the file; under a condition only where that holds.
        case required
    }

    package let description: KeyDescription
    package let isRequired: Bool
    package let condition: Condition?
    /// Stores the value, or throws what is wrong with it.
    package let read: @Sendable (TOMLValue, inout Root) throws(Refusal) -> Void
    /// The value as TOML; nil when it is absent.
    package let write: @Sendable (Root) -> String?

    package var name: String { description.name }

    /// A key with a value always: the struct's own, unless the file says otherwise.
    package init<Value: Equatable & Sendable>(
        _ name: String,
        _ path: any WritableKeyPath<Root, Value> & Sendable,
        _ type: ValueType<Value>,
        _ requirement: Requirement = .optional,
        unit: String? = nil,
        when condition: Condition? = nil,
        help: String
    ) {
        description = KeyDescription(
            name: name, type: type.name, allowed: type.allowed, unit: unit, help: help, condition: condition?.text,
            isRequired: requirement == .required,
            defaultText: requirement == .required ? nil : type.write(Root()[keyPath: path]), exampleText: nil
        )
        isRequired = requirement == .required
        self.condition = condition
        read = { value, root throws(Refusal) in root[keyPath: path] = try type.read(value) }
        write = { root in type.write(root[keyPath: path]) }
    }

    /// A key that may be absent.
    package init<Value: Equatable & Sendable>(
        _ name: String,
        _ path: any WritableKeyPath<Root, Value?> & Sendable,
        _ type: ValueType<Value>,
        _ requirement: Requirement = .optional,
        unit: String? = nil,
        when condition: Condition? = nil,
        example: Value? = nil,
        help: String
    ) {
        description = KeyDescription(
            name: name, type: type.name, allowed: type.allowed, unit: unit, help: help, condition: condition?.text,
            isRequired: requirement == .required, defaultText: nil, exampleText: example.map(type.write)
        )
        isRequired = requirement == .required
        self.condition = condition
        read = { value, root throws(Refusal) in root[keyPath: path] = try type.read(value) }
        write = { root in root[keyPath: path].map(type.write) }
    }
}

/// A key that has no meaning where it stands.
package struct MisplacedKey: Sendable {
    package let name: String
    /// Completes "only when …".
    package let condition: String

    package init(_ name: String, condition: String) {
        self.name = name
        self.condition = condition
    }
}

/// What the printers say of a key.
package struct KeyDescription: Sendable {
    package let name: String
    /// `integer`, `duration`…
    package let type: String
    /// The range or the list of values; empty when the type says it all.
    package let allowed: String
    package let unit: String?
    package let help: String
    package let condition: String?
    package let isRequired: Bool
    /// nil for a key that is required, or not set by default.
    package let defaultText: String?
    /// For a key that is not set by default.
    package let exampleText: String?

    /// The ``type`` of a key that names a protocol.
    static let protocolType = "protocol"

    /// `1…65535 registers`
    package var range: String {
        guard let unit else { return allowed }
        return allowed.isEmpty ? unit : "\(allowed) \(unit)"
    }

    /// The same with the names of the protocols where the key takes one.
    func range(_ drivers: DriverCatalogue) -> String {
        guard type == Self.protocolType else { return range }
        return drivers.protocolNames.map { "\"\($0)\"" }.joined(separator: ", ")
    }
}
