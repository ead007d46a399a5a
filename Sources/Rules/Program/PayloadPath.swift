/// A path into the payload, such as `measurepoints.temp` or `readings[0].value`: a run of steps.
struct PayloadPath {
    enum Step {
        /// A member's name, among the program's literals.
        case member(offset: UInt32, count: UInt32)
        /// An element, counted from 0.
        case element(Int32)
    }

    /// The path's steps in ``ProgramCode/steps``. The first one is a member, unless the path stands for the whole payload.
    var steps: Range<Int>
}
