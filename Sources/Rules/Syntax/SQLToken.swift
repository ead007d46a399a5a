/// A word, literal or sign of a rule's text.
struct SQLToken {
    enum Kind: Equatable {
        case end
        case keyword(Keyword)
        /// A plain name.
        case identifier
        /// A name in double quotes or back quotes.
        case quotedIdentifier
        /// A text in single quotes.
        case string
        /// Digits.
        case integer
        /// Digits with a fraction or an exponent.
        case real
        case leftParenthesis, rightParenthesis, leftBracket, rightBracket
        case comma, dot
        case plus, minus, star, slash, percent, concat
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    }

    enum Keyword: String, CaseIterable {
        case select = "SELECT"
        case from = "FROM"
        case `where` = "WHERE"
        case `as` = "AS"
        case and = "AND"
        case or = "OR"
        case not = "NOT"
        case `is` = "IS"
        case null = "NULL"
        case `in` = "IN"
        case between = "BETWEEN"
        case like = "LIKE"
        case escape = "ESCAPE"
        case `case` = "CASE"
        case when = "WHEN"
        case then = "THEN"
        case `else` = "ELSE"
        case end = "END"
        case cast = "CAST"
        case `true` = "TRUE"
        case `false` = "FALSE"
        // Kept for what may come.
        case group = "GROUP"
        case having = "HAVING"
        case order = "ORDER"
        case limit = "LIMIT"
        case join = "JOIN"
        case union = "UNION"
        case window = "WINDOW"
        case distinct = "DISTINCT"
    }

    var kind: Kind
    /// Bytes of the rule's text, quotes included.
    var range: Range<Int>
}
