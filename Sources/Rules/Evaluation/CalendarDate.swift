/// A moment in the Gregorian calendar, UTC.
struct CalendarDate {
    static let textLength = 24

    let year, month, day: Int64
    let millisecondOfDay: Int64

    /// nil outside of the years 0 to 9999.
    init?(milliseconds: Int64) {
        let perDay: Int64 = 86_400_000
        guard milliseconds >= -62_167_219_200_000, milliseconds < 253_402_300_800_000 else { return nil }
        var days = milliseconds / perDay
        if milliseconds % perDay < 0 { days -= 1 }
        millisecondOfDay = milliseconds - days * perDay
        // Days since 0000-03-01, in eras of 400 years.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Writes `2026-11-21T09:53:57.123Z` to room for ``textLength`` bytes.
    func write(to room: UnsafeMutableRawBufferPointer) -> Int {
        Self.write(year, 4, "-", to: room, at: 0)
        Self.write(month, 2, "-", to: room, at: 5)
        Self.write(day, 2, "T", to: room, at: 8)
        Self.write(millisecondOfDay / 3_600_000, 2, ":", to: room, at: 11)
        Self.write(millisecondOfDay / 60_000 % 60, 2, ":", to: room, at: 14)
        Self.write(millisecondOfDay / 1000 % 60, 2, ".", to: room, at: 17)
        Self.write(millisecondOfDay % 1000, 3, "Z", to: room, at: 20)
        return Self.textLength
    }

    /// So many digits and the sign behind them.
    private static func write(
        _ value: Int64, _ count: Int, _ end: Unicode.Scalar, to room: UnsafeMutableRawBufferPointer, at start: Int
    ) {
        var rest = value
        var place = start + count
        room[place] = UInt8(ascii: end)
        while place > start {
            place -= 1
            room[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }
}
