// swift-tools-version: 6.2
import PackageDescription

// The targets and their layers: a target imports only from layers above its own in this list. Tests/ArchitectureTests
// holds the same table and fails when an import breaks it.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
    // The run-time check of exclusive access is a quarter of the broker's instructions; debug builds and the tests keep it.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let byteBuffer: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let eventLoop: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let http: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let webSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let embedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "martlet",
    products: [
        .executable(name: "martlet", targets: ["martlet"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // Layer 0: C and C++ shims, one per library
        .systemLibrary(name: "CModbus", pkgConfig: "libmodbus", providers: [.apt(["libmodbus-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CAllocator"),
        .target(name: "CBoard", linkerSettings: [.linkedLibrary("gpiod")]),
        .target(name: "CSwiftRuntime"),
        // Empty but in a build with --sanitize=thread.
        .target(name: "CThreadSanitizer"),
        .target(name: "CTOML"),
        // The profiles of boards, compiled in.
        .target(
            name: "BoardProfiles", path: "board",
            resources: [
                "gateworks-venice", "generic", "generic-emmc-32gb", "generic-emmc-8gb", "generic-sd-consumer",
                "generic-sd-industrial", "generic-ssd", "hilscher-netpi", "raspberry-pi-cm4-32gb",
            ].map { .embedInCode("\($0).toml") }, swiftSettings: settings),

        // The profiles of devices, compiled in.
        .target(
            name: "DeviceProfiles",
            resources: ["eastron-sdm630", "huawei-sun2000", "schneider-iem3155"].map { .embedInCode("\($0).toml") },
            swiftSettings: settings),

        // What the tests of several targets share
        .target(name: "TestSupport", dependencies: ["COpenSSL", "Core"], path: "Tests/TestSupport", swiftSettings: settings),

        // Layer 1: the nouns
        .target(name: "Core", dependencies: ["CThreadSanitizer"], swiftSettings: settings),
        .testTarget(name: "CoreTests", dependencies: ["Core"], swiftSettings: settings),

        // Layer 2
        .target(name: "Configuration", dependencies: ["BoardProfiles", "Core", "CTOML", "DeviceProfiles"], swiftSettings: settings),
        .testTarget(name: "ConfigurationTests", dependencies: ["BoardProfiles", "Configuration", "Core", "FieldBus", "TestSupport"], swiftSettings: settings),
        .target(name: "MQTTCodec", dependencies: ["Core", byteBuffer], swiftSettings: settings),
        .testTarget(
            name: "MQTTCodecTests", dependencies: ["MQTTCodec", "Core", "TestSupport", byteBuffer],
            swiftSettings: settings),
        .target(name: "Payload", dependencies: ["Core", "CZlib"], swiftSettings: settings),
        .testTarget(name: "PayloadTests", dependencies: ["Core", "Payload", "TestSupport"], swiftSettings: settings),
        .target(name: "Security", dependencies: ["COpenSSL", "Core", byteBuffer], swiftSettings: settings),
        .testTarget(
            name: "SecurityTests", dependencies: ["COpenSSL", "Core", "Security", "TestSupport", byteBuffer, embedded],
            swiftSettings: settings),
        .target(name: "Store", dependencies: ["Core", "CSQLite", "CZstd"], swiftSettings: settings),
        .target(name: "CStorageFaults", dependencies: ["CSQLite"], path: "Tests/CStorageFaults"),
        .testTarget(name: "StoreTests", dependencies: ["Core", "Store", "CStorageFaults", "TestSupport"], swiftSettings: settings),

        // Layer 3
        .target(name: "Broker", dependencies: ["Core", "MQTTCodec", "Store", deque], swiftSettings: settings),
        .testTarget(
            name: "BrokerTests", dependencies: ["Broker", "CAllocationCount", "Core", "MQTTCodec", "Store", "TestSupport", deque],
            swiftSettings: settings),
        .target(name: "FieldBus", dependencies: ["CBoard", "CModbus", "Configuration", "Core", "Payload"], swiftSettings: settings),
        .testTarget(name: "FieldBusTests", dependencies: ["Configuration", "Core", "FieldBus", "TestSupport"], swiftSettings: settings),
        .target(
            name: "MQTTClient", dependencies: ["Core", "MQTTCodec", "Security", byteBuffer, eventLoop, http, webSocket],
            swiftSettings: settings),
        .testTarget(
            name: "MQTTClientTests", dependencies: ["Core", "MQTTClient", "MQTTCodec", "Security", byteBuffer, embedded],
            swiftSettings: settings),
        .target(name: "Rules", dependencies: ["Core", "Payload"], swiftSettings: settings),
        .target(name: "CAllocationCount", path: "Tests/CAllocationCount"),
        .testTarget(name: "RulesTests", dependencies: ["CAllocationCount", "Core", "Payload", "Rules", "TestSupport"], swiftSettings: settings),

        // Layer 4
        .target(
            name: "Bridge",
            dependencies: [
                "Core", "MQTTCodec", "MQTTClient", "Payload", "Security", "Store", "Broker", deque, byteBuffer, eventLoop, logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "BridgeTests",
            dependencies: [
                "Core", "MQTTCodec", "Payload", "Security", "Store", "Broker", "Bridge", "MQTTClient", "TestSupport", byteBuffer,
                embedded, logging,
            ],
            swiftSettings: settings),
        .target(
            name: "MQTTServer",
            dependencies: ["Core", "MQTTCodec", "Security", "Broker", deque, byteBuffer, eventLoop, logging],
            swiftSettings: settings),
        .testTarget(
            name: "MQTTServerTests",
            dependencies: [
                "Core", "MQTTCodec", "Security", "Broker", "MQTTServer", "TestSupport", byteBuffer, embedded, eventLoop, logging,
            ],
            swiftSettings: settings),

        .target(name: "Console", dependencies: ["Core", byteBuffer, eventLoop, http, logging], swiftSettings: settings),
        .testTarget(
            name: "ConsoleTests", dependencies: ["Console", "Core", "TestSupport", byteBuffer, embedded, http, logging],
            swiftSettings: settings),

        // Layer 5: the composition root
        .target(
            name: "Appliance",
            dependencies: [
                "CAllocator", "Core", "Configuration", "MQTTCodec", "Payload", "Security", "Store", "Broker", "FieldBus", "Rules",
                "Bridge", "Console", "MQTTClient", "MQTTServer", byteBuffer, eventLoop, logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ApplianceTests",
            dependencies: [
                "Core", "Configuration", "Console", "MQTTCodec", "Payload", "Security", "Store", "Broker", "FieldBus", "Rules", "Bridge", "Appliance",
                "MQTTServer", "TestSupport", byteBuffer, embedded, logging,
            ],
            swiftSettings: settings),

        // Layer 6: the executable
        .executableTarget(
            name: "martlet",
            dependencies: [
                "Appliance", "CAllocator", "CSwiftRuntime", "Configuration", "Core", "FieldBus", "MQTTClient", "MQTTCodec", "Payload", "Security",
                "Store", byteBuffer, eventLoop, logging, arguments,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MartletTests",
            dependencies: ["martlet", "Core", "MQTTClient", "MQTTCodec", "TestSupport", byteBuffer, eventLoop, embedded, arguments],
            swiftSettings: settings),

        // Across layers
        .testTarget(name: "ArchitectureTests", swiftSettings: settings),
        .testTarget(
            name: "SimulationTests", dependencies: ["Core", "MQTTCodec", "Store", "Broker", "Bridge", "TestSupport", deque],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
