public import NIOCore
public import NIOHTTP1

/// Which handler answers which request: by path, then by method.
public struct HTTPRouter: Sendable {
    /// Answers one request. Called on the connection's event loop, which it must not block; a failed future becomes
    /// 500 Internal Server Error.
    public typealias Handler = @Sendable (HTTPRequest, any EventLoop) -> EventLoopFuture<HTTPResponse>

    private var routes: [String: [(method: HTTPMethod, handler: Handler)]] = [:]

    public init() {}

    /// Adds a route. A handler of GET answers HEAD too.
    ///
    /// - Parameter path: the whole path, `/metrics`.
    public mutating func add(_ method: HTTPMethod, _ path: String, _ handler: @escaping Handler) {
        routes[path, default: []].append((method, handler))
    }

    /// Adds a page.
    public mutating func get(_ path: String, _ handler: @escaping Handler) { add(.GET, path, handler) }

    func respond(to request: HTTPRequest, on eventLoop: any EventLoop) -> EventLoopFuture<HTTPResponse> {
        guard let methods = routes[request.path] else {
            return eventLoop.makeSucceededFuture(HTTPResponse(status: .notFound))
        }
        let wanted = request.method == .HEAD ? HTTPMethod.GET : request.method
        if let route = methods.first(where: { $0.method == request.method }) ?? methods.first(where: { $0.method == wanted }) {
            return route.handler(request, eventLoop)
        }
        // RFC 9110 §15.5.6: the answer says which methods there are.
        var allowed = methods.map(\.method.rawValue)
        if allowed.contains("GET"), !allowed.contains("HEAD") { allowed.append("HEAD") }
        var response = HTTPResponse(status: .methodNotAllowed)
        response.headers.add(name: "Allow", value: allowed.joined(separator: ", "))
        return eventLoop.makeSucceededFuture(response)
    }
}
