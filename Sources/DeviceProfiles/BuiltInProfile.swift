/// The device profiles that the program brings along: the TOML files of this folder, as text by name.
///
/// A new one is a file here, its name in the package's resources, and a line in this list.
public enum BuiltInProfile {
    public static let profiles: [(name: String, text: [UInt8])] = [
        ("eastron-sdm630", PackageResources.eastron_sdm630_toml),
        ("huawei-sun2000", PackageResources.huawei_sun2000_toml),
        ("schneider-iem3155", PackageResources.schneider_iem3155_toml),
    ]
}
