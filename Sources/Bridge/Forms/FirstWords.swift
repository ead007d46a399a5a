/// Lines for the log that are said the first time that there is reason for them, for as long as the program runs.
struct FirstWords {
    /// Kinds that are kept; of those beyond nothing is said.
    static let limit = 256

    private var told: Set<String> = []

    /// - Parameter kind: what makes two lines the same.
    mutating func warn(_ kind: String, _ text: String) -> [FormEffect] {
        guard told.count < Self.limit, told.insert(kind).inserted else { return [] }
        return [.warn(text)]
    }
}
