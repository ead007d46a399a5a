import Console
import Configuration
import Logging
import NIOCore

extension HTTPRouter {
    /// The page of metrics, made anew for each request.
    mutating func addMetrics(_ core: ApplianceCore, path: String) {
        get(path) { _, _ in
            core.eventLoop.submit {
                let text = MetricsPage.text(core.report(), process: ProcessStatus.now())
                return HTTPResponse(
                    contentType: OpenMetricsWriter.contentType, body: text, headers: [("Cache-Control", "no-store")])
            }
        }
    }
}

extension MartletConfiguration {
    /// The server of the metrics; nil if there is none.
    func metricsServer(_ core: ApplianceCore, logger: Logger) -> HTTPServer? {
        guard let port = metrics.port else { return nil }
        var router = HTTPRouter()
        router.addMetrics(core, path: metrics.path)
        return HTTPServer(place: .network(address: metrics.address, port: port), router: router, logger: logger)
    }
}
