public import NIOCore
public import NIOHTTP1

/// A whole request.
public struct HTTPRequest: Sendable {
    public var method: HTTPMethod
    /// Without the query, as it was sent: `/metrics`.
    public var path: String
    /// What follows `?`, as it was sent; nil if there is no `?`.
    public var query: String?
    public var headers: HTTPHeaders
    public var body: ByteBuffer

    /// The query's `name=value` pairs, decoded; of a name that is there twice the last.
    public var parameters: [String: String] {
        var parameters: [String: String] = [:]
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            parameters[PercentEncoding.decoded(parts[0])] = parts.count > 1 ? PercentEncoding.decoded(parts[1]) : ""
        }
        return parameters
    }

    init(head: HTTPRequestHead, body: ByteBuffer) {
        method = head.method
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts[0])
        query = parts.count > 1 ? String(parts[1]) : nil
        headers = head.headers
        self.body = body
    }
}

/// A whole response.
public struct HTTPResponse: Sendable {
    public var status: HTTPResponseStatus
    /// Beside those that the connection adds: length, date.
    public var headers: HTTPHeaders
    public var body: [UInt8]

    public init(
        status: HTTPResponseStatus = .ok, contentType: String, body: [UInt8], headers more: [(String, String)] = []
    ) {
        self.status = status
        headers = HTTPHeaders([("Content-Type", contentType)] + more)
        self.body = body
    }

    /// A status with its own words as text.
    public init(status: HTTPResponseStatus) {
        self.init(
            status: status, contentType: "text/plain; charset=utf-8",
            body: Array("\(status.code) \(status.reasonPhrase)\n".utf8))
    }
}
