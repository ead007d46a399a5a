// The tables that say what the upstream is beside an MQTT broker, its form. A bridge has one of them or none.

extension MartletConfiguration.Bridge {
    /// The forms of the bridge, by the names of their tables.
    private var forms: [(name: String, source: TableSource)] {
        [
            ("enos", enos?.source), ("azure", azure?.source), ("aws", aws?.source), ("sparkplug", sparkplug?.source),
            ("thingsboard", thingsBoard?.source),
        ].compactMap { name, source in source.map { (name, $0) } }
    }

    /// Whether the upstream is something else beside an MQTT broker.
    var hasForm: Bool { !forms.isEmpty }

    /// Whether the form logs in with what its own table names.
    private var formLogsIn: Bool { enos != nil || azure != nil || aws != nil }

    func checkForms(_ findings: inout Findings) {
        let forms = self.forms
        for other in forms.dropFirst() {
            findings.report(other.source.position, "a bridge is one thing only: take out [bridge.\(forms[0].name)] or [bridge.\(other.name)]")
        }
        if let form = forms.first, formLogsIn, passwordFile != nil || userName != nil, source.isSound("user-name", "password-file") {
            findings.report(
                source[userName != nil ? "user-name" : "password-file"],
                "[bridge.\(form.name)] logs in by itself: leave out user-name and password-file")
        }
        enos?.check(self, &findings)
        azure?.check(self, &findings)
        aws?.check(self, &findings)
        sparkplug?.check(self, &findings)
        thingsBoard?.check(self, &findings)
    }

    /// For a form whose upstream speaks nothing else.
    func checkSpeaks311(_ form: String, _ findings: inout Findings) {
        if source.isSet("protocol"), source.isSound("protocol"), self.protocol != .v311 {
            findings.report(source["protocol"], "[bridge.\(form)] speaks MQTT 3.1.1 only: leave out protocol")
        }
    }
}
