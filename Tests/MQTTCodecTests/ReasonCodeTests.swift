import MQTTCodec
import Testing

@Suite("Reason codes in words")
struct ReasonCodeTests {
    @Test("every code of the standard's table has a name of its own")
    func names() {
        let codes = (0...2).map { UInt8($0) } + [0x04, 0x10, 0x11, 0x18, 0x19] + (0x80...0x8D).map { UInt8($0) } + [0x8E, 0x8F]
            + (0x90...0xA2).map { UInt8($0) }
        let names = codes.compactMap { ReasonCode(rawValue: $0).name }
        #expect(names.count == codes.count)
        #expect(Set(names).count == codes.count)
    }

    @Test("a code is said with its name, or by its number alone")
    func description() {
        #expect("\(ReasonCode.notAuthorized)" == "not authorized (0x87)")
        #expect("\(ReasonCode.disconnectWithWill)" == "disconnect with will message (0x04)")
        #expect("\(ReasonCode(rawValue: 0xF0))" == "reason code 0xF0")
    }
}
