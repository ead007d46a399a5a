import Testing

@testable import MQTTClient

@Suite("KeepAlive")
struct KeepAliveTests {
    @Test("an idle connection is pinged each keep-alive")
    func idle() {
        var keepAlive = KeepAlive()
        #expect(keepAlive.tick() == .ping)
        keepAlive.sent()
        keepAlive.received()
        #expect(keepAlive.tick() == .nothing)
        #expect(keepAlive.tick() == .ping)
    }

    @Test("a connection busy in both directions is not pinged")
    func busy() {
        var keepAlive = KeepAlive()
        for _ in 0..<5 {
            keepAlive.sent()
            keepAlive.received()
            #expect(keepAlive.tick() == .nothing)
        }
    }

    @Test("a link on which nothing arrives is dead a keep-alive after the ping, however much is sent")
    func dead() {
        var keepAlive = KeepAlive()
        keepAlive.sent()
        #expect(keepAlive.tick() == .ping)
        keepAlive.sent()
        #expect(keepAlive.tick() == .nothing)
        keepAlive.sent()
        #expect(keepAlive.tick() == .dead)
    }
}
