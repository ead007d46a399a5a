import Console
import Core
import FieldBus
import Payload

extension HTTPRouter {
    /// GET /trace?bus=NAME&from=N: what has passed over a bus since exchange number N, without it from now on; ?format=json for
    /// one object a frame. The header Martlet-Next has the number to go on with.
    mutating func addTrace(_ traces: BusTraces) {
        get("/trace") { request async throws(HTTPRefusal) in
            guard let bus = request.parameters["bus"] else { throw .badRequest("?bus= names the bus") }
            guard let page = await traces.page(of: bus, from: try number(request.parameters["from"]), now: SystemClock.monotonic()) else {
                throw .badRequest("there is no bus \(bus.debugDescription); there are: \(traces.names.joined(separator: ", "))")
            }
            let isJSON = request.parameters["format"] == "json"
            var body: [UInt8] = []
            if page.lost > 0 {
                body += Array((isJSON ? "{\"lost\":\(page.lost)}\n" : "… \(page.lost) exchanges came too fast to be shown\n").utf8)
            }
            for exchange in page.exchanges {
                body += isJSON ? exchange.json : Array((exchange.lines.joined(separator: "\n") + "\n").utf8)
            }
            return HTTPResponse(
                contentType: isJSON ? "application/x-ndjson" : "text/plain; charset=utf-8", body: body,
                headers: [("Cache-Control", "no-store"), (ControlSocket.nextHeader, "\(page.next)")])
        }
    }
}

private func number(_ text: String?) throws(HTTPRefusal) -> UInt64? {
    guard let text else { return nil }
    guard let number = UInt64(text) else { throw .badRequest("?from= is a number") }
    return number
}

extension TracedExchange {
    /// A JSON object a line for each frame, and one for a failure.
    var json: [UInt8] {
        var body: [UInt8] = []
        for frame in frames {
            body += line { writer in
                writer.member("time", frame.time.milliseconds)
                writer.name("direction")
                writer.string(frame.direction.rawValue)
                writer.name("text")
                writer.string(frame.text)
                guard !frame.isText else { return }
                writer.name("bytes")
                writer.string(frame.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
            }
        }
        if let failure {
            body += line { writer in
                writer.member("time", (frames.last?.time ?? SystemClock.wall()).milliseconds)
                writer.name("failure")
                writer.string(failure)
            }
        }
        return body
    }

    private func line(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        if let device {
            writer.name("device")
            writer.string(device.description)
        }
        write(&writer)
        writer.endObject()
        return writer.finish() + [UInt8(ascii: "\n")]
    }
}
