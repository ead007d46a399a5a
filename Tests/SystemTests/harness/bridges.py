"""Boxes with a bridge that forwards `plant/#` upstream as `site/7/plant/#`: Martlet, and mosquitto in its place."""

from .broker import Martlet, Mosquitto

#: So that nothing is dropped because of a bound, however long the upstream is away.
_UNBOUNDED = 'max-queued-messages = 1000000\nmax-queued-bytes = "1GiB"'


FORWARD = """
  [[bridge.forward]]
  filter = "plant/#"
  prefix = "site/7/"
  qos = 1
"""


def martlet_bridge(
    directory, port, *, identifier="box-1", order="strict", keys="", forward=FORWARD, routes="", cache="", data=None
):
    """Martlet, not yet started, with a bridge to `port`. `keys` and further `routes` belong to its bridge section."""
    bridge = f"""
[[bridge]]
name = "cloud"
host = "127.0.0.1"
port = {port}
client-identifier = "{identifier}"
reconnect-interval = "1s"
max-back-off = "1s"
order = "{order}"
{keys}
{forward}
{routes}
[cache]
{cache}
"""
    return Martlet(directory, bridge, broker=_UNBOUNDED, log_level="warning", data=data)


def mosquitto_bridge(directory, port, *, options="", window=100, data=None):
    """mosquitto with its persistence on, not yet started, and a bridge to `port` that is as safe as it can be made."""
    bridge = f"""
{options}
max_inflight_messages {window}
connection cloud
address 127.0.0.1:{port}
topic plant/# out 1 "" site/7/
remote_clientid box-1
cleansession false
restart_timeout 1
notifications false
try_private false
"""
    return Mosquitto(directory, options=bridge, log="log_type error", name="box", data=data)


#: The settings with which mosquitto writes its whole state after every change.
AUTOSAVE = "autosave_interval 1\nautosave_on_changes true"
