import ArgumentParser
import Configuration

/// Where a box keeps its files, for commands that ask the box.
enum DataDirectory {
    static let help: ArgumentHelp = "The configuration file, or the box's data directory."

    /// - Parameter box: its configuration file, of which nothing else has to be right, or the directory itself.
    static func of(_ box: String) throws(ConfigurationErrors) -> String {
        FileContent.isDirectory(box) ? box : try MartletConfiguration.dataDirectory(path: box)
    }
}
