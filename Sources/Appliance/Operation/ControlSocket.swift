import Console
import Core
import Logging
import NIOCore
import Payload
import Store

// What commands of this machine ask of a box that runs, over HTTP on a Unix socket that only its owner may use:
//
//     GET  /cache            what waits; ?format=text for people
//     GET  /cache/export     a page of messages; the header Martlet-Next has the query of the next one
//     GET  /cache/damaged    the damaged blocks that are kept
//     POST /cache/purge      gives messages up
//     GET  /trace            what passes over a bus
//
// Export and purge take bridge, priority and older-than (s), to select.

/// The name of the socket in the data directory.
public enum ControlSocket {
    public static let name = "control"
    /// Of an export: the query of the next page.
    public static let nextHeader = "Martlet-Next"
}

extension HTTPRouter {
    mutating func addCache(_ core: ApplianceCore, _ storage: Storage) {
        let inspector = CacheInspector(storage)
        get("/cache") { request async throws(HTTPRefusal) in
            let figures = await core.eventLoop.run { core.cacheFigures() }
            do throws(StoreError) {
                let overview = try await inspector.overview(figures)
                return request.parameters["format"] == "text" ? .text(overview.text) : .json(overview.json)
            } catch {
                throw HTTPRefusal.failed("\(error)")
            }
        }
        get("/cache/export") { request async throws(HTTPRefusal) in
            let query = try ExportQuery.of(request)
            // Only at the beginning: what is exported may leave meanwhile, and its route with it.
            if query.cursor == nil { try await check(query.selection, core, inspector) }
            do throws(StoreError) {
                let page = try await inspector.export(query.selection, format: query.format, from: query.cursor)
                return .page(page.text, next: page.next.map { query.goingOn(at: $0) }, query.format)
            } catch {
                throw HTTPRefusal.failed("\(error)")
            }
        }
        get("/cache/damaged") { _ async throws(HTTPRefusal) in
            do throws(StoreError) {
                return .page(try await inspector.exportDamaged(), next: nil, .json)
            } catch {
                throw HTTPRefusal.failed("\(error)")
            }
        }
        post("/cache/purge") { request async throws(HTTPRefusal) in
            let query = try ExportQuery.of(request)
            try await check(query.selection, core, inspector)
            do throws(StoreError) {
                let purged = try await inspector.purge(query.selection)
                await core.eventLoop.run { core.purged(purged.losses, lanes: purged.lanes) }
                return .json(PurgeResult(purged.losses).json)
            } catch {
                throw HTTPRefusal.failed("\(error)")
            }
        }
    }
}

/// - Throws: that there are no such routes, and which there are.
private func check(_ selection: CacheSelection, _ core: ApplianceCore, _ inspector: CacheInspector) async throws(HTTPRefusal) {
    let configured = await core.eventLoop.run { core.routeNames }
    let problem: String?
    do throws(StoreError) {
        problem = try await inspector.problem(of: selection, configured: configured)
    } catch {
        throw HTTPRefusal.failed("\(error)")
    }
    if let problem { throw HTTPRefusal.badRequest(problem) }
}

extension ExportQuery {
    fileprivate static func of(_ request: HTTPRequest) throws(HTTPRefusal) -> ExportQuery {
        do throws(CacheQueryError) {
            return try ExportQuery(request.parameters)
        } catch {
            throw HTTPRefusal.badRequest("\(error)")
        }
    }

    /// The query of the next page.
    fileprivate func goingOn(at cursor: CacheInspector.Cursor) -> String {
        ExportQuery(selection: selection, format: format, cursor: cursor).text
    }
}

extension HTTPResponse {
    fileprivate static func json(_ body: [UInt8]) -> HTTPResponse {
        HTTPResponse(contentType: "application/json", body: body, headers: [("Cache-Control", "no-store")])
    }

    fileprivate static func page(_ body: [UInt8], next: String?, _ format: CacheInspector.Format) -> HTTPResponse {
        HTTPResponse(
            contentType: format == .csv ? "text/csv; charset=utf-8" : "application/x-ndjson", body: body,
            headers: [("Cache-Control", "no-store")] + (next.map { [(ControlSocket.nextHeader, $0)] } ?? []))
    }

    fileprivate static func text(_ body: String) -> HTTPResponse {
        HTTPResponse(contentType: "text/plain; charset=utf-8", body: Array(body.utf8), headers: [("Cache-Control", "no-store")])
    }
}

extension Appliance {
    /// Opens the socket in the data directory. A box works without it: what stands in its way is logged.
    func openControl(
        _ core: ApplianceCore, storage: Storage, group: any EventLoopGroup, _ log: Logger
    ) async -> (any Channel)? {
        var router = HTTPRouter()
        router.addCache(core, storage)
        router.addTrace(core.traces)
        let place = HTTPServer.Place.unix(path: plan.dataDirectory + "/" + ControlSocket.name, mode: 0o600)
        do {
            return try await HTTPServer(place: place, router: router, logger: logger("control")).open(group: group).get()
        } catch {
            log.warning("the control socket cannot be opened: commands cannot reach this box", metadata: ["error": "\(error)"])
            return nil
        }
    }
}
