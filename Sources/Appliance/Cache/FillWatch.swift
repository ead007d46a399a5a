/// Says when something is nearly full, once, and again only after it has been well below.
struct FillWatch {
    /// Of the whole.
    static let levels = [0.8, 0.95]
    /// How far below a level it must be before that level is over.
    static let hysteresis = 0.05

    /// Levels that are reached.
    private(set) var reached = 0

    enum Change: Equatable {
        /// - percent: of the level.
        case above(percent: Int)
        case below(percent: Int)
    }

    mutating func update(_ fraction: Double) -> Change? {
        let before = reached
        while reached < FillWatch.levels.count, fraction >= FillWatch.levels[reached] { reached += 1 }
        if reached == before {
            while reached > 0, fraction < FillWatch.levels[reached - 1] - FillWatch.hysteresis { reached -= 1 }
        }
        func percent(_ index: Int) -> Int { Int((FillWatch.levels[index] * 100).rounded()) }
        if reached > before { return .above(percent: percent(reached - 1)) }
        return reached < before ? .below(percent: percent(reached)) : nil
    }
}
