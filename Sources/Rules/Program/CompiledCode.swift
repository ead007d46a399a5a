/// The code of a rule or template in memory that does not move, so that evaluation reads it without counting references.
// @unchecked Sendable: the buffers are written in `init` only.
final class CompiledCode: @unchecked Sendable {
    /// What evaluation reads. Valid as long as the object lives.
    struct View {
        let instructions: UnsafeBufferPointer<Instruction>
        let paths: UnsafeBufferPointer<PayloadPath>
        let steps: UnsafeBufferPointer<PayloadPath.Step>
        let literals: UnsafeRawBufferPointer
        let stackDepth: Int
    }

    let view: View
    let needsJSON: Bool

    init(_ code: ProgramCode) {
        view = View(
            instructions: Self.copy(code.instructions), paths: Self.copy(code.paths), steps: Self.copy(code.steps),
            literals: UnsafeRawBufferPointer(Self.copy(code.literals)), stackDepth: code.stackDepth)
        needsJSON = code.needsJSON
    }

    deinit {
        view.instructions.deallocate()
        view.paths.deallocate()
        view.steps.deallocate()
        view.literals.deallocate()
    }

    private static func copy<Element>(_ elements: [Element]) -> UnsafeBufferPointer<Element> {
        let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: elements.count)
        _ = buffer.initialize(from: elements)
        return UnsafeBufferPointer(buffer)
    }
}
