import Configuration

extension MartletConfiguration {
    /// A cache that is larger than the disk it is on.
    func checkCacheFits(_ warnings: inout [ConfigurationWarning]) {
        guard cache.source.isSound("size"), case .bytes(let bytes) = cache.size, let disk = DiskSpace.of(directory: dataDirectory),
            bytes > disk.total
        else { return }
        warnings.append(
            ConfigurationWarning(
                cache.source["size"],
                "the disk of the data-directory has only \(disk.total >> 20) MiB here, so the cache fills it before it makes room: write a size that "
                    + "the disk has, or \"auto\""))
    }
}
