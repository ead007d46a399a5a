import Core
import Glibc
import MQTTCodec
import Testing

@testable import martlet

@Suite("Bench report")
struct BenchReportTests {
    private var plan: LoadPlan {
        LoadPlan(
            scenario: .fanOut, version: .v311, publishers: 2, subscribers: 3,
            qos: .atLeastOnce, payload: 64, messages: 10, window: 20, maximumOutstanding: nil, rate: 0,
            brokerProcess: nil, tag: 1)
    }

    @Test("a number has exactly its decimals")
    func decimals() {
        #expect(Decimals.text(1.5, digits: 3) == "1.500")
        #expect(Decimals.text(0.0004, digits: 3) == "0.000")
        #expect(Decimals.text(0.9996, digits: 3) == "1.000")
        #expect(Decimals.text(-2.25, digits: 1) == "-2.3")
        #expect(Decimals.text(-0.01, digits: 1) == "0.0")
        #expect(Decimals.text(1234.5, digits: 0) == "1235")
        #expect(Decimals.text(nil, digits: 2) == "null")
        #expect(Decimals.text(.infinity, digits: 2) == "null")
    }

    @Test("a run is one line of JSON with every field")
    func line() throws {
        var outcome = LoadOutcome()
        outcome.messages = 20
        outcome.deliveries = 50
        outcome.lost = 10
        outcome.duplicates = 1
        outcome.outOfOrder = 2
        outcome.latency.record(100)
        #expect(
            outcome.json(plan) == """
                {"scenario":"fan-out","qos":1,"publishers":2,"subscribers":3,"payload":64,"messages":20,"deliveries":50,\
                "seconds":0.000000,"deliveries_per_second":0.0,\
                "latency_us":{"p50":0.1,"p90":0.1,"p99":0.1,"p999":0.1,"max":0.1},"lost":10,"duplicates":1,"out_of_order":2,\
                "strange":0}
                """)
    }

    @Test("a run that was measured says what the broker, the bench and the others used")
    func measured() throws {
        var outcome = LoadOutcome()
        var meter = try LoadMeter(process: getpid())
        meter.note(at: SystemClock.monotonic())
        outcome.meter = meter
        outcome.deliveries = 1
        let line = outcome.json(plan)
        for name in ["broker_cpu_seconds", "broker_cpu_per_million", "broker_rss_kib", "tool_cpu_share", "others_cpu_share"] {
            #expect(line.contains("\"\(name)\":"), "\(name) is missing")
        }
        #expect(!line.contains("\"broker_rss_kib\":null"))
    }

    @Test("what was not measured is null")
    func notMeasured() throws {
        var outcome = LoadOutcome()
        outcome.meter = try LoadMeter(process: nil)
        let line = outcome.json(plan)
        #expect(line.contains(#""broker_cpu_seconds":null,"broker_cpu_per_million":null"#))
        #expect(line.contains(#""latency_us":{"p50":null,"p90":null,"p99":null,"p999":null,"max":null}"#))
    }

    @Test("there is nothing to measure of a process that is not there")
    func noProcess() {
        #expect(throws: BenchError.self) { try LoadMeter(process: 0) }
    }

    @Test("only a run without any fault is faultless")
    func faults() {
        #expect(LoadOutcome().isFaultless)
        for fault in [\LoadOutcome.lost, \.duplicates, \.outOfOrder, \.strange] {
            var outcome = LoadOutcome()
            outcome[keyPath: fault] = 1
            #expect(!outcome.isFaultless)
        }
        var outcome = LoadOutcome()
        outcome.interruption = "nothing has arrived"
        #expect(!outcome.isFaultless)
    }
}
