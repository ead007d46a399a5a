"""An external driver, as an example and for the tests: devices that count.

Each device has points by address: "count" goes up by "step" with every reading, "step" and "text" can be written, "missing" is
one that the device does not have. With the setting mode = "push" it sends "count" by itself every 50 ms and is asked nothing.
"""

import json
import sys
import threading
import time

VERSION = 1


def say(**message):
    """One line to the box. The lock keeps lines of two threads apart."""
    with LOCK:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


LOCK = threading.Lock()


class Device:
    def __init__(self, description):
        self.name = description["device"]
        self.points = {point["point"]: point for point in description["points"]}
        self.values = {"count": 0, "step": 1, "text": "hello"}

    def sample(self, name):
        address = self.points[name]["address"]
        if address not in self.values:
            return {"point": name, "quality": "bad", "reason": "illegal-data-address"}
        if address == "count":
            self.values["count"] += self.values["step"]
        return {"point": name, "value": self.values[address], "time": int(time.time() * 1000)}

    def write(self, name, value):
        address = self.points[name]["address"]
        if address not in ("step", "text"):
            return {"point": name, "ok": False, "reason": "illegal-data-value"}
        self.values[address] = value
        return {"point": name, "ok": True}


def push(devices):
    while True:
        for device in devices.values():
            say(op="samples", device=device.name, samples=[device.sample(name) for name in device.points])
        time.sleep(0.05)


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else "poll"
    say(op="describe", name="counter", version="1.0", protocol=VERSION, polled=mode != "push")
    devices = {}
    for line in sys.stdin:
        message = json.loads(line)
        operation = message["op"]
        if operation == "configure":
            if message["settings"].get("refuse"):
                say(op="configured", error="it does not want to")
                continue
            devices = {entry["device"]: Device(entry) for entry in message["devices"]}
            say(op="configured")
            say(op="log", message=f"{len(devices)} devices, colour {message['settings'].get('colour', 'none')}")
            if mode == "push":
                threading.Thread(target=push, args=(devices,), daemon=True).start()
        elif operation == "read":
            device = devices[message["device"]]
            if mode == "mute" or device.values["text"] == "mute":
                continue
            if device.values["text"] == "garbage":
                sys.stdout.write("this is not JSON\n")
                sys.stdout.flush()
                continue
            if device.values["text"] == "crash":
                sys.exit(3)
            names = message["points"][1:] if device.values["text"] == "forget" else message["points"]
            say(op="values", id=message["id"], device=device.name, samples=[device.sample(name) for name in names])
        elif operation == "write":
            device = devices[message["device"]]
            results = [device.write(entry["point"], entry["value"]) for entry in message["values"]]
            say(op="written", id=message["id"], results=results)
        elif operation == "stop":
            break


main()
