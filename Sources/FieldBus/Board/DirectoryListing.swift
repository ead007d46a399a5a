import Glibc

/// The names in a folder, as sysfs and /dev need it.
enum DirectoryListing {
    /// At most this many; a folder of devices has fewer.
    static let maxEntries = 4096

    /// Without those that start with a dot, in the order of the alphabet; none if the folder cannot be read.
    static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while names.count < maxEntries, let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }
}
