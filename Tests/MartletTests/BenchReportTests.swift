import Core
import MQTTCodec
import Testing

@testable import martlet

@Suite("Bench report")
struct BenchReportTests {
    private var plan: LoadPlan {
        LoadPlan(
            scenario: .fanOut, host: "127.0.0.1", port: 1883, version: .v311, publishers: 2, subscribers: 3,
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
    func line() {
        var outcome = LoadOutcome()
        outcome.messages = 20
        outcome.deliveries = 50
        outcome.lost = 10
        outcome.duplicates = 1
        outcome.outOfOrder = 2
        outcome.seconds = 0.5
        outcome.brokerSeconds = 0.001
        outcome.brokerResidentKiB = 4096
        outcome.latency.record(100)
        #expect(
            outcome.json(plan) == """
                {"scenario":"fan-out","qos":1,"publishers":2,"subscribers":3,"payload":64,"messages":20,"deliveries":50,\
                "seconds":0.500000,"deliveries_per_second":100.0,"broker_cpu_seconds":0.001000,\
                "broker_cpu_per_million":20.0000,"broker_rss_kib":4096,\
                "latency_us":{"p50":0.1,"p90":0.1,"p99":0.1,"max":0.1},"lost":10,"duplicates":1,"out_of_order":2}
                """)
    }

    @Test("what was not measured is null")
    func notMeasured() {
        let line = LoadOutcome().json(plan)
        #expect(line.contains(#""broker_cpu_seconds":null,"broker_cpu_per_million":null,"broker_rss_kib":null"#))
        #expect(line.contains(#""latency_us":{"p50":null,"p90":null,"p99":null,"max":null}"#))
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

    @Test(
        "every flow has a publisher that its subscriber hears, and no two share a number",
        arguments: [Scenario.pairs, .fanIn, .fanOut])
    func flows(scenario: Scenario) {
        var plan = plan
        plan.scenario = scenario
        plan.publishers = 3
        plan.subscribers = scenario == .pairs ? 3 : 4
        var seen: Set<Int> = []
        for subscriber in 0..<plan.subscribers {
            let sources = plan.sources(ofSubscriber: subscriber)
            for publisher in sources {
                let flow = plan.firstFlow(ofSubscriber: subscriber) + publisher - sources.lowerBound
                #expect(plan.publisher(ofFlow: flow) == publisher)
                #expect(seen.insert(flow).inserted)
            }
        }
        #expect(seen == Set(0..<plan.flows))
        #expect(plan.flows == plan.publishers * plan.deliveriesPerMessage)
    }
}
