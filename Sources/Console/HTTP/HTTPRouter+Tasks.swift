import NIOCore
import NIOHTTP1

/// Why a request is not carried out, in words.
public enum HTTPRefusal: Error, Sendable {
    /// 400: there is a mistake in it.
    case badRequest(String)
    /// 500: it cannot be done now.
    case failed(String)
}

extension HTTPRouter {
    /// Answers in a task of its own, for what takes its time.
    public typealias Answer = @Sendable (HTTPRequest) async throws(HTTPRefusal) -> HTTPResponse

    /// Adds a page. See ``add(_:_:_:)``.
    public mutating func get(_ path: String, answer: @escaping Answer) { add(.GET, path, HTTPRouter.handler(answer)) }

    /// Adds an order.
    public mutating func post(_ path: String, answer: @escaping Answer) { add(.POST, path, HTTPRouter.handler(answer)) }

    private static func handler(_ answer: @escaping Answer) -> Handler {
        { request, loop in
            let promise = loop.makePromise(of: HTTPResponse.self)
            promise.completeWithTask {
                do throws(HTTPRefusal) {
                    return try await answer(request)
                } catch {
                    switch error {
                    case .badRequest(let words): return HTTPResponse(status: .badRequest, words: words)
                    case .failed(let words): return HTTPResponse(status: .internalServerError, words: words)
                    }
                }
            }
            return promise.futureResult
        }
    }
}

extension HTTPResponse {
    fileprivate init(status: HTTPResponseStatus, words: String) {
        self.init(status: status, contentType: "text/plain; charset=utf-8", body: Array("\(words)\n".utf8))
    }
}
