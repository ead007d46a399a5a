/// The board profiles that the program brings along: the TOML files of this folder, as text by name.
///
/// A new one is a file here, its name in the package's resources, and a line in this list.
public enum BuiltInBoard {
    public static let profiles: [(name: String, text: [UInt8])] = [
        ("gateworks-venice", PackageResources.gateworks_venice_toml),
        ("generic", PackageResources.generic_toml),
        ("generic-emmc-32gb", PackageResources.generic_emmc_32gb_toml),
        ("generic-emmc-8gb", PackageResources.generic_emmc_8gb_toml),
        ("generic-sd-consumer", PackageResources.generic_sd_consumer_toml),
        ("generic-sd-industrial", PackageResources.generic_sd_industrial_toml),
        ("generic-ssd", PackageResources.generic_ssd_toml),
        ("hilscher-netpi", PackageResources.hilscher_netpi_toml),
        ("raspberry-pi-cm4-32gb", PackageResources.raspberry_pi_cm4_32gb_toml),
    ]
}
