extension String {
    /// The text as a message names it, `"pump 7"`: its first 64 characters in quotes, with `…` if there are more. It may come
    /// from anybody; whoever writes a log escapes what must not stand there.
    public var inQuotes: String {
        let shown = unicodeScalars.prefix(64)
        return shown.endIndex == endIndex ? "\"\(self)\"" : "\"\(Substring(shown))…\""
    }
}
