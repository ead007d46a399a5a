import Appliance
import ArgumentParser

struct SelfTestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "self-test",
        abstract: "Checks that this binary works on this machine: store, names, TLS, broker and field bus.")

    func run() async throws {
        let scratch = try ScratchDirectory()
        let passed = await SelfTest(directory: scratch.path).run { result in
            Console.print("\(result.passed ? "ok  " : "FAIL") \(result.name): \(result.detail)")
        }
        scratch.remove()
        if !passed { throw ExitCode(1) }
        Console.print("self-test passed")
    }
}
