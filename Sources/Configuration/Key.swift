/// The declaration of one key of a table: name, type, default, allowed values, unit and help.
struct Key<Root: ConfigurationTable>: Sendable {
    /// When a key has a meaning, told by other keys of its table.
    struct Condition: Sendable {
        /// The keys that `holds` looks at.
        let keys: [String]
        /// Completes "only when …".
        let text: String
        let holds: @Sendable (Root) -> Bool

        init(_ keys: String..., text: String, holds: @escaping @Sendable (Root) -> Bool) {
            self.keys = keys
            self.text = text
            self.holds = holds
        }
    }

    enum Requirement {
        case optional
        /// Must be in the file; under a condition only where that holds.
        case required
    }

    let description: KeyDescription
    let isRequired: Bool
    let condition: Condition?
    /// Stores the value, or throws what is wrong with it.
    let read: @Sendable (TOMLValue, inout Root) throws(Refusal) -> Void
    /// The value as TOML; nil when it is absent.
    let write: @Sendable (Root) -> String?

    var name: String { description.name }

    /// A key with a value always: the struct's own, unless the file says otherwise.
    init<Value: Equatable & Sendable>(
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
    init<Value: Equatable & Sendable>(
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

/// What the printers say of a key.
struct KeyDescription: Sendable {
    let name: String
    /// `integer`, `duration`…
    let type: String
    /// The range or the list of values; empty when the type says it all.
    let allowed: String
    let unit: String?
    let help: String
    let condition: String?
    let isRequired: Bool
    /// nil for a key that is required, or not set by default.
    let defaultText: String?
    /// For a key that is not set by default.
    let exampleText: String?

    /// `1…65535 registers`
    var range: String {
        guard let unit else { return allowed }
        return allowed.isEmpty ? unit : "\(allowed) \(unit)"
    }
}
