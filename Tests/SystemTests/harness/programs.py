"""The command-line peers: mosquitto_pub, mosquitto_sub and mbpoll."""

import re
import subprocess

_VERSIONS = {"3.1.1": "mqttv311", "5.0": "mqttv5"}


def mosquitto_pub(port, topic, payload, *, version="3.1.1", qos=0, retain=False, options=()):
    """Publishes one message and returns when the program has ended well."""
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-V", _VERSIONS[version], "-q", str(qos)]
    command += ["-t", topic, "-m", payload, *(["-r"] if retain else []), *options]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)


def mosquitto_sub(port, topic_filter, count, *, version="3.1.1", qos=0, options=()):
    """Starts a subscriber that ends after `count` messages; see `lines_of`."""
    command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-V", _VERSIONS[version], "-q", str(qos)]
    command += ["-t", topic_filter, "-C", str(count), "-W", "20", "-d", "-F", "message %t %q %r %p", *options]
    return subprocess.Popen(
        ["stdbuf", "-oL", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )


def wait_subscribed(subscriber):
    """Reads the debugging output of a `mosquitto_sub` up to its SUBACK."""
    for line in subscriber.stdout:
        if "received SUBACK" in line or line.startswith("Subscribed"):
            return
    raise AssertionError("mosquitto_sub ended before its SUBACK")


def lines_of(subscriber):
    """Waits for the end of a `mosquitto_sub`. Returns its messages as lists [topic, qos, retain, payload]."""
    output, _ = subscriber.communicate(timeout=30)
    assert subscriber.returncode == 0, f"mosquitto_sub ended with status {subscriber.returncode}:\n{output}"
    return [line.split(" ", 4)[1:] for line in output.splitlines() if line.startswith("message ")]


def mbpoll_registers(port, unit, address, count):
    """Reads holding registers with mbpoll, which shares no code with the Modbus servers of the tests."""
    command = ["mbpoll", "-m", "tcp", "-p", str(port), "-a", str(unit), "-t", "4", "-0", "-r", str(address)]
    command += ["-c", str(count), "-1", "-q", "127.0.0.1"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    return [int(value) for value in re.findall(r"^\[\d+\]:\s+(\d+)", output, re.MULTILINE)]
