import Configuration
import Glibc
import NIOCore
import Testing

@testable import Appliance

@Suite("Why a port cannot be opened")
struct OpeningFailureTests {
    private func words(_ code: Int32, address: String = "0.0.0.0", port: Int = 1883) -> String {
        let place = NetworkPlace(address: address, port: port)
        return OpeningFailure(
            subject: "listener \"x\"", place: place.description, network: place, error: IOError(errnoCode: code, reason: "bind(descriptor:)")
        ).description
    }

    @Test("is said in words that tell what to do")
    func known() {
        #expect(words(EADDRINUSE) == "listener \"x\": 0.0.0.0:1883 is taken by another process (see ss -ltnp)")
        #expect(words(EACCES, port: 80).contains("AmbientCapabilities=CAP_NET_BIND_SERVICE"))
        #expect(words(EADDRNOTAVAIL, address: "192.0.2.1").contains("no network interface of this machine has the address 192.0.2.1"))
        #expect(words(EAFNOSUPPORT, address: "::1").hasPrefix("listener \"x\": [::1]:1883 cannot be opened: "))
    }

    @Test("is said in the system's words where nothing is known, without the program's own")
    func unknown() {
        for code in [EACCES, EMFILE] {
            #expect(words(code) == "listener \"x\": 0.0.0.0:1883 cannot be opened: \(String(cString: strerror(code)))")
        }
    }
}
