"""The brokers: Martlet itself, and Debian's mosquitto as a peer or in Martlet's place.

With MARTLET_TEST_BROKER=mosquitto the tests of MQTT behaviour run against mosquitto: what they ask for is then known to
be what MQTT asks for and not only what Martlet does.
"""

import os
import shutil
import subprocess
from pathlib import Path

from . import raw_mqtt
from .ports import free_port
from .process import Process

REPOSITORY = Path(__file__).resolve().parents[3]
BROKER_UNDER_TEST = os.environ.get("MARTLET_TEST_BROKER", "martlet")


def martlet_binary():
    """MARTLET_BINARY, or what `swift build` has made last in this repository."""
    if named := os.environ.get("MARTLET_BINARY"):
        return Path(named).resolve()
    built = [REPOSITORY / ".build" / kind / "martlet" for kind in ("debug", "release")]
    built = sorted((path for path in built if path.exists()), key=lambda path: path.stat().st_mtime)
    assert built, "there is no martlet binary: run `swift build`, or set MARTLET_BINARY"
    return built[-1]


def run_martlet(*arguments, timeout=60):
    """Runs one of the commands that end by themselves."""
    command = [str(martlet_binary()), *(str(argument) for argument in arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)


def answers_mqtt(port):
    """Whether a broker answers a CONNECT at `port`, whatever it answers."""
    try:
        with raw_mqtt.RawConnection(port, timeout=1) as connection:
            connection.send(raw_mqtt.connect_packet("3.1.1", f"ready-{os.getpid()}"))
            return connection.read() is not None
    except OSError:
        return False


class Broker(Process):
    """What brokers have in common here: a port, a data directory, a start and an end."""

    #: Seconds that a start may take.
    start_timeout = 20

    def __init__(self, name, arguments, directory, port, environment=None):
        self.directory = directory
        self.port = port
        super().__init__(name, arguments, directory / f"{name}.log", environment)

    def start(self):
        self.launch()
        return self.wait()

    def wait(self):
        """Until it answers, after a `launch`."""
        what = f"{self.name} to answer at port {self.port}"
        self.wait_until(lambda: answers_mqtt(self.port), what, self.start_timeout)
        return self

    def crash(self):
        """kill -9, then nothing until the next `start`."""
        self.kill()


class Martlet(Broker):
    """`martlet run martlet.toml` with one loopback listener; `configuration` is the rest of the file."""

    def __init__(self, directory, configuration="", *, broker="", log_level="info", data=None):
        directory.mkdir(parents=True, exist_ok=True)
        data = data or directory / "data"
        port = free_port()
        self.file = directory / "martlet.toml"
        self.file.write_text(
            f"""[appliance]
name = "system-test"
data-directory = "{data}"
log-level = "{log_level}"

[broker]
{broker}

[[listener]]
name = "local"
address = "127.0.0.1"
port = {port}

{configuration}
"""
        )
        data.mkdir(exist_ok=True)
        super().__init__("martlet", [martlet_binary(), "run", self.file], directory, port)


class Mosquitto(Broker):
    """Debian's mosquitto. With `users`, a password file holds them and nobody else gets in."""

    def __init__(
        self,
        directory,
        *,
        port=None,
        users=None,
        persistence=True,
        options="",
        log="log_type all",
        name="mosquitto",
        data=None,
    ):
        directory.mkdir(parents=True, exist_ok=True)
        data = data or directory / "data"
        data.mkdir(exist_ok=True)
        port = port or free_port()
        lines = [
            f"listener {port} 127.0.0.1",
            f"allow_anonymous {'false' if users else 'true'}",
            f"persistence {'true' if persistence else 'false'}",
            f"persistence_location {data}/",
            "max_queued_messages 0",
            "set_tcp_nodelay true",
            "log_dest stderr",
            log,
            options,
        ]
        if os.geteuid() == 0:
            # Else it would give up root, and with it the signal that ends it together with the tests.
            lines.append("user root")
        if users:
            passwords = directory / "passwords"
            passwords.touch()
            for user, password in users.items():
                subprocess.run(["mosquitto_passwd", "-b", passwords, user, password], check=True, capture_output=True)
            lines.append(f"password_file {passwords}")
        configuration = directory / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        super().__init__(name, [program, "-c", configuration], directory, port)


class PlacedMosquitto(Mosquitto):
    """mosquitto in Martlet's place."""

    def crash(self):
        """mosquitto writes its sessions at its end or every so often, so a kill -9 at once would lose what it had
        acknowledged; what comes after the restart is the same."""
        self.terminate()


def broker_under_test(directory, *, max_packet_size=None, max_queued_messages=None):
    """The broker that the tests of MQTT behaviour speak to, not yet started. Sizes are in bytes."""
    if BROKER_UNDER_TEST == "mosquitto":
        options = [f"max_packet_size {max_packet_size}"] if max_packet_size else []
        if max_queued_messages:
            # mosquitto counts the 20 that are in flight apart.
            options += [f"max_queued_messages {max_queued_messages}"]
        return PlacedMosquitto(directory, options="\n".join(options))
    settings = [f'max-packet-size = "{max_packet_size}B"'] if max_packet_size else []
    settings += [f"max-queued-messages = {max_queued_messages}"] if max_queued_messages else []
    return Martlet(directory, broker="\n".join(settings))
