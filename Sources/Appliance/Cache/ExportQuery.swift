import Console

/// What a page of an export is asked for with.
public struct ExportQuery: Sendable {
    public var selection: CacheSelection
    public var format: CacheInspector.Format
    public var cursor: CacheInspector.Cursor?

    public init(selection: CacheSelection, format: CacheInspector.Format, cursor: CacheInspector.Cursor? = nil) {
        self.selection = selection
        self.format = format
        self.cursor = cursor
    }

    /// - Parameter parameters: those of the selection, `format`, and `lane` and `sequence` where it goes on.
    init(_ parameters: [String: String]) throws(CacheQueryError) {
        selection = try CacheSelection(parameters: parameters)
        guard let format = CacheInspector.Format(rawValue: parameters["format"] ?? "json") else {
            throw CacheQueryError("format is json or csv")
        }
        self.format = format
        guard let lane = parameters["lane"] else { return }
        guard let sequence = parameters["sequence"].flatMap(Int64.init), sequence > 0 else {
            throw CacheQueryError("a lane needs a sequence from 1 on")
        }
        cursor = CacheInspector.Cursor(lane: lane, sequence: sequence)
    }

    /// As the query of a request.
    public var text: String {
        var parameters = selection.parameters + [("format", format.rawValue)]
        if let cursor { parameters += [("lane", cursor.lane), ("sequence", "\(cursor.sequence)")] }
        return parameters.map { "\($0)=\(PercentEncoding.encoded($1))" }.joined(separator: "&")
    }
}
