import Configuration

extension MartletConfiguration.Bus {
    /// A bus for the printed file.
    static func example<Table: ConfigurationTable>(
        name: String, _ protocolName: String, _ change: (inout Table) -> Void
    ) -> MartletConfiguration.Bus {
        .example {
            $0.name = name
            $0.protocol = protocolName
            $0.driver = DriverTable(Table.example(change))
        }
    }
}
