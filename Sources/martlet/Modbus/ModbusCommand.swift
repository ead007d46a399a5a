import ArgumentParser

struct ModbusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "modbus", abstract: "Reads, writes, searches, watches, simulates and plans Modbus lines.",
        subcommands: [
            ModbusReadCommand.self, ModbusWriteCommand.self, ModbusScanCommand.self, ModbusTraceCommand.self,
            ModbusSimulateCommand.self, ModbusPlanCommand.self, ModbusSunSpecCommand.self,
        ])
}
