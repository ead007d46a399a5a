/// A file that has every table and every key.
let fullExample = #"""
    # The box of the south field
    [appliance]
    name = "box-1"
    data-directory = "data"
    board = "generic-emmc-8gb"
    log-level = "debug"

    [broker]
    max-hops = 4
    max-packet-size = "2MiB"
    max-connections = 5000
    max-sessions = 6000
    max-inflight = 64
    receive-maximum = 32
    max-queued-messages = 2000
    max-queued-bytes = "8MB"
    max-outbox-bytes = "4MiB"
    max-waiting-bytes = "64MiB"
    max-topic-aliases = 8
    max-outbound-topic-aliases = 4
    max-session-expiry = "2h"
    max-keep-alive = "90s"
    max-subscriptions = 100
    max-retained-messages = 1000
    max-retained-bytes = "10MiB"
    max-topic-levels = 16
    when-disk-full = "hold"
    max-qos = 1
    retain-available = false
    wildcard-subscription-available = false
    subscription-identifier-available = false
    check-payload-format = false
    response-topic-prefix = "responses/%c"
    server-reference = "other.example:1883"
    redirect = "server-moved"
    sys-interval = "30s"

    [[listener]]
    name = "local"
    address = "::1"
    port = 1884
    [[listener]]
    name = "field"
    address = "0.0.0.0"
    allow-anonymous = true
    password-file = "field-users"
    password-methods = ["scram-sha-256"]
    proxy-protocol = true
    topic-prefix = "site/7"
    max-connections = 500
    max-packet-size = "64KiB"
    connect-timeout = "5s"
    max-unconnected = 100
    certificate-file = "server.crt"
    key-file = "server.key"
    client-certificate = "optional"
    client-ca-file = "clients.crt"
    crl-file = "revoked.crl"
    user-from-certificate = "san-dns"
    psk-file = "psk.txt"
    user-from-psk = true
    require-password = false
    min-tls-version = "1.3"
    ciphers = "ECDHE+AESGCM:!SHA1"
    cipher-suites = "TLS_AES_256_GCM_SHA384"
      [[listener.server-name]]
      host = "*.example.com"
      certificate-file = "example.crt"
      key-file = "example.key"
    [[listener]]
    name = "browsers"
    transport = "websocket"
    port = 8080
    websocket-path = "/mqtt/v5"
    [[listener]]
    name = "programs"
    transport = "unix"
    path = "mqtt.sock"
    socket-mode = "0600"

    [authentication]
    password-file = "users"
    default-access = "allow"

    [[access-rule]]
    access = "deny"
    actions = ["publish", "receive"]
    user = "ann"
    client-identifier = "c 1"
    listener = "field"
    address = "2001:db8::/33"
    topic = "a/%c/+/x-%u/100%/#"
    [[access-rule]]
    access = "allow"
    actions = "subscribe"
    [[access-rule]]
    access = "allow"

    [protection]
    ban-after = 3
    ban-window = "30s"
    ban-time = "1m"
    ban-by = ["user-name", "address"]
    ban-loopback = true
    flap-after = 7
    flap-window = "2m"
    flap-ban-time = "3m"
    connect-rate = 100
    connect-rate-per-address = 10
    max-connections-per-address = 50
    publish-rate = 200
    publish-byte-rate = "64KiB"
    publish-policy = "disconnect"

    [[product]]
    key = "meter"
    name = "Energy meter"
      [[product.group]]
      name = "fast"
      interval = "500ms"
      [[product.group]]
      name = "slow"
      interval = "1m"
      [[product.point]]
      identifier = "temp"
      name = "Temperature"
      type = "INT"
      unit = "°C"
      group = "fast"
      area = "input-register"
      address = 7
      word-order = "badc"
      scale = 0.1
      offset = -40
      minimum = -40
      maximum = 85.5
      when-outside = "clamp"
      report = "on-change"
      deadband = 0.5
      max-silence = "10m"
      stale-after = "1h"
      [[product.point]]
      identifier = "alarm"
      type = "BOOL"
      group = "fast"
      area = "holding-register"
      address = 65535
      bit = 15
      writable = true
      [[product.point]]
      identifier = "serial"
      type = "STRING"
      group = "slow"
      area = "holding-register"
      address = 100
      length = 15
      [[product.point]]
      identifier = "door"
      type = "BOOL"
      group = "slow"
      area = "discrete-input"
      address = 0
      [[product.point]]
      identifier = "computed"
      type = "LREAL"
      expression = "temp * 2"
      report = "on-change"
      deadband-percent = 2.5
      [[product.point]]
      identifier = "state"
      type = "UINT"
      group = "slow"
      area = "holding-register"
      address = 3
      bits = "4..7"
      enumeration = { 0 = "off", 1 = "on" }
    [[product]]
    key = "tracker"
    [[product]]
    key = "mains"
    profile = "eastron-sdm630"

    [[bus]]
    name = "line-1"
    protocol = "modbus-tcp"
    host = "192.0.2.10"
    port = 1502
    timeout = "250ms"
    retries = 0
    max-back-off = "5m"
    max-gap = 0
    pause = "10ms"
    [[bus]]
    name = "line-2"
    protocol = "modbus-rtu"
    serial-port = "/dev/ttyS1"
    baud-rate = 19200
    parity = "none"
    data-bits = 8
    stop-bits = 2
    rs485 = true
    rts-on-send = false
    delay-before-send = "1ms"
    delay-after-send = "2ms"
    [[bus]]
    name = "line-3"
    protocol = "modbus-rtu-tcp"
    host = "192.0.2.11"
    port = 4001

    [[bus]]
    name = "special"
    protocol = "external"
    command = ["bin/driver", "--quiet"]
    working-directory = "/var/lib/martlet"
    settings = { line = "/dev/ttyS3", speed = 4 }
    [[product]]
    key = "weather"
    group = [{name = "all"}]
      [[product.point]]
      identifier = "wind"
      type = "REAL"
      address = "wind-speed"
    [[device]]
    product = "weather"
    key = "w1"
    bus = "special"
    address = "1"

    [[device]]
    product = "meter"
    key = "m1"
    name = "Meter \"1\""
    bus = "line-1"
    unit-identifier = 255
    timeout = "2s"
    retries = 1
    max-gap = 20
    pause = "5ms"
    max-quantity = 60
    [[device]]
    product = "meter"
    key = "m2"
    bus = "line-2"
    unit-identifier = 9
    [[device]]
    product = "tracker"
    key = "t1"

    [[bus]]
    name = "lines"
    protocol = "gpio"
    [[product]]
    key = "cabinet"
    group = [{name = "all"}]
      [[product.point]]
      identifier = "water"
      type = "ULINT"
      line = "gpiochip0:22"
      use = "pulse-count"
      edges = "falling"
      bias = "pull-up"
      active-low = true
      debounce = "5ms"
      [[product.point]]
      identifier = "siren"
      type = "BOOL"
      line = "DO1"
      use = "output"
      drive = "open-drain"
      initial = true
      at-exit = "off"
      writable = true
    [[device]]
    product = "cabinet"
    key = "c1"
    bus = "lines"

    [[bus]]
    name = "scale"
    protocol = "serial-text"
    serial-port = "RS485-1"
    rs485-line = "gpiochip0:18"
    rs485-active-low = true
    framing = "delimiter"
    delimiter = "\r"
    start = '\x02'
    max-length = 80
    pattern = "^.(?<weight>[0-9.]+)"
    separator = ";"
    request = "W\r"
    request-interval = "2s"
    [[bus]]
    name = "reader"
    protocol = "serial-text"
    host = "192.0.2.12"
    framing = "length-field"
    length-offset = 2
    length-width = 2
    length-order = "little"
    length-adjustment = 4
    [[bus]]
    name = "counter"
    protocol = "serial-text"
    host = "192.0.2.13"
    framing = "silence"
    silence = "50ms"
    [[product]]
    key = "scale"
    group = [{name = "all"}]
      [[product.point]]
      identifier = "weight"
      type = "LREAL"
      field = "group:weight"
      [[product.point]]
      identifier = "tare"
      type = "LREAL"
      send = "T{value:.1}\r"
      writable = true
    [[device]]
    product = "scale"
    key = "s1"
    bus = "scale"

    [[bus]]
    name = "box"
    protocol = "system"
    root = "/host"
    [[product]]
    key = "box"
    group = [{name = "all"}]
      [[product.point]]
      identifier = "temperature"
      type = "REAL"
      source = "cpu-temperature"
    [[device]]
    product = "box"
    key = "b1"
    bus = "box"

    [[rule]]
    name = "hot"
    sql = '''
    SELECT measurepoints.temp AS t
    FROM "/sys/+/+/thing/measurepoint/post" WHERE t > 50'''
    topic = "alarms/${topic[2]}/hot"
    qos = 1
    retain = true

    [[bridge]]
    name = "cloud"
    host = "broker.example.com"
    port = 1885
    transport = "wss"
    websocket-path = "/ws"
    failover-servers = ["backup.example.com", "192.0.2.7:8084", "[2001:db8::7]:443", "2001:db8::8"]
    return-to-first = "5m"
    client-identifier = "box-1"
    user-name = "box"
    password-file = "cloud.password"
    protocol = "5.0"
    session-expiry = "1h"
    keep-alive = "30s"
    max-inflight = 20
    connect-timeout = "10s"
    reconnect-interval = "2s"
    max-back-off = "30s"
    order = "live-first"
    backfill-rate = 100
    backfill-bytes-per-second = "8KiB"
    backfill-prefix = "late"
    mark-backfill = true
      [bridge.tls]
      ca-file = "upstream-ca.pem"
      crl-file = "upstream.crl"
      server-name = "broker.example.com"
      certificate-file = "box.pem"
      key-file = "box.key"
      min-version = "1.3"
      ciphers = "ECDHE+AESGCM"
      cipher-suites = "TLS_AES_128_GCM_SHA256"
      alpn = ["x-amzn-mqtt-ca"]
      insecure-no-verification = false
      [bridge.birth]
      topic = "site/7/state"
      payload = "online"
      qos = 0
      retain = true
      [bridge.will]
      topic = "site/7/state"
      payload = "offline"
      qos = 2
      retain = true
      [[bridge.forward]]
      filter = "/sys/#"
      remove-prefix = "/sys"
      prefix = "site/7"
      qos = 2
      retain = false
      send-retained = false
      [[bridge.forward]]
      filter = "alarms/+/hot"
      topic = "up/${topic[2]}"
      priority = 9
      when-full = "thin"
      max-size = "64MiB"
      max-age = "5d"
      [[bridge.receive]]
      filter = "site/7/sys/+/+/thing/service/#"
      remove-prefix = "site/7"
      qos = 0
      retain = false

    [[bridge]]
    name = "archive"
    host = "archive.example.com"
    client-identifier = "box-1"
    backfill-topic = "late/${topic[1]}"
      [[bridge.forward]]
      filter = "alarms/#"
    [[bridge]]
    name = "mirror"
    host = "mirror.example.com"
    client-identifier = "box-1"
    order = "strict"
      [[bridge.forward]]
      filter = "#"

    [[bridge]]
    name = "enos"
    host = "mqtt.example.com"
    client-identifier = "box-1"
      [[bridge.forward]]
      filter = "/sys/#"
      [bridge.enos]
      product-key = "gateway"
      device-key = "box-1"
      secret-file = "enos.secrets"
      sign-method = "sha1"
      activation = true
      batch-size = 100
      batch-age = "1s"
      login-batch-size = 20
      max-online = 100
      send-quality = false
      compression = "gzip"
      command-timeout = "20s"
      rrpc-timeout = "5s"
    [[bridge]]
    name = "azure"
    host = "192.0.2.7"
    client-identifier = "box-1"
      [[bridge.forward]]
      filter = "/sys/#"
      [bridge.azure]
      hub = "hub-1.azure-devices.net"
      authentication = "sas"
      key-file = "azure.key"
      token-lifetime = "1d"
      batch-size = 10
      batch-age = "2s"
      messages-topic = "from/azure"
      command-timeout = "10s"
    [[bridge]]
    name = "aws"
    host = "aws.example.com"
    client-identifier = "box-1"
      [[bridge.forward]]
      filter = "/sys/#"
      [bridge.aws]
      thing = "box-1"
      topic = "site/${thing}/${product}/${device}/${tail}"
      other-topic = "site/${thing}/${topic}"
      shadow = "points"
      batch-size = 10
      batch-age = "2s"
      jobs-topic = "from/aws/jobs"
      command-timeout = "10s"
    [[bridge]]
    name = "scada"
    host = "scada.example.com"
    client-identifier = "box-1"
      [[bridge.forward]]
      filter = "/sys/#"
      [bridge.sparkplug]
      group = "site-7"
      edge-node = "box-1"
      primary-host = "scada"
      device-name = "${device}"
      qos = 1
      batch-size = 10
      batch-age = "2s"
      command-timeout = "10s"
    [[bridge]]
    name = "thingsboard"
    host = "thingsboard.example.com"
    client-identifier = "box-1"
      [[bridge.forward]]
      filter = "/sys/#"
      [bridge.thingsboard]
      token-file = "thingsboard.token"
      device-name = "${device} of ${product}"
      devices-per-message = 20
      send-quality = true
      sync-attributes = true
      batch-size = 10
      batch-age = "2s"
      command-timeout = "20s"

    [[bridge]]
    name = "old"
    host = "old.example.com"
    transport = "tls"
    client-identifier = "box-1"
    protocol = "3.1.1"
    bridge-bit = false
      [bridge.tls]
      psk-file = "old.psk"
      psk-identity = "box-1"
      [[bridge.forward]]
      filter = "alarms/#"

    [cache]
    size = "512MiB"
    max-age = "10d"
    when-full = "refuse"
    compression = "none"
    commit-interval = "50ms"


    [metrics]
    port = 9465
    address = "192.0.2.9"
    path = "/box/metrics"
    allow-anonymous = true
    """#
