import Console
import Testing

@Suite("OpenMetrics text")
struct OpenMetricsTests {
    private func text(_ write: (inout OpenMetricsWriter) -> Void) -> String {
        var writer = OpenMetricsWriter()
        write(&writer)
        return String(decoding: writer.finish(), as: UTF8.self)
    }

    @Test("a counter has its suffix, a unit its line")
    func counter() {
        let text = text { $0.counter("box_sent_bytes", unit: "bytes", help: "Bytes.", 17) }
        #expect(text == "# TYPE box_sent_bytes counter\n# UNIT box_sent_bytes bytes\n# HELP box_sent_bytes Bytes.\nbox_sent_bytes_total 17\n# EOF\n")
    }

    @Test("label values and help are escaped")
    func escaping() {
        let text = text { writer in
            writer.gauge("g", help: "a\nb\\c\"d", [OpenMetricsWriter.Sample([("l", "x\"y\\z\n")], 1.5)])
        }
        #expect(text == "# TYPE g gauge\n# HELP g a\\nb\\\\c\\\"d\ng{l=\"x\\\"y\\\\z\\n\"} 1.5\n# EOF\n")
    }

    @Test("a histogram's buckets add up")
    func histogram() {
        let text = text { $0.histogram("h_seconds", unit: "seconds", help: "H.", bounds: [0.5, 1], counts: [2, 0, 3], sum: 9.25) }
        #expect(text.contains("h_seconds_bucket{le=\"0.5\"} 2\nh_seconds_bucket{le=\"1.0\"} 2\nh_seconds_bucket{le=\"+Inf\"} 5\n"))
        #expect(text.contains("h_seconds_count 5\nh_seconds_sum 9.25\n"))
    }

    @Test("numbers are those that a parser reads", arguments: [
        (0.0, "0"), (-3, "-3"), (1e15, "1000000000000000"), (0.1, "0.1"), (.infinity, "+Inf"), (.nan, "NaN"), (1e20, "1e+20"),
    ])
    func numbers(value: Double, written: String) {
        let text = text { $0.gauge("g", help: "G.", [OpenMetricsWriter.Sample([], value)]) }
        #expect(text.contains("\ng \(written)\n"))
    }
}
