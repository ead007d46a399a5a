"""No wrong value is ever reported good, whatever a serial line does to the frames.

A Modbus TCP frame has no check sum: over TCP only what is delayed and glued together is tried, not flipped bits.
"""

import time

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer

from harness.modbus import Device, ModbusServer, ModbusTcp
from harness.noise import Noise, NoisySerialLine, NoisyTcpLine
from harness.ports import free_port
from harness.posts import BAD, GOOD, Commands, Posts

pytestmark = pytest.mark.martlet_only

TIMEOUT = 0.12
#: How long a frame that is to be glued to the next one waits for it.
HOLD = 0.3 * TIMEOUT
UNITS = (1, 2, 3)


def heeding_silence(server):
    """pymodbus keeps half a frame until more comes; a device forgets it when the line falls silent (Modbus over Serial Line
    1.02 §2.5.1.1). Otherwise it would answer an old request when the next one comes."""
    make = server.callback_new_connection

    def new_connection():
        handler = make()
        receive, last = handler.data_received, [0.0]

        def received(data):
            if time.monotonic() - last[0] > 0.02:
                handler.recv_buffer = b""
            last[0] = time.monotonic()
            receive(data)

        handler.data_received = received
        return handler

    server.callback_new_connection = new_connection
    return server


class _Serial(ModbusServer):
    def __init__(self, devices, noise):
        super().__init__(devices)
        self.line = NoisySerialLine(noise, HOLD)
        self.bus = f'protocol = "modbus-rtu"\nserial-port = "{self.line.near}"\nbaud-rate = 115200\nparity = "none"'

    def _make_server(self, **options):
        return heeding_silence(
            ModbusSerialServer(self._context, framer=FramerType.RTU, port=self.line.far, baudrate=115200, **options)
        )

    def _unit(self, data):
        return data[0]


class _RtuOverTcp(ModbusServer):
    def __init__(self, devices, noise):
        super().__init__(devices)
        self._port = free_port()
        self.line = NoisyTcpLine(self._port, noise, HOLD)
        self.bus = f'protocol = "modbus-rtu-tcp"\nhost = "127.0.0.1"\nport = {self.line.port}'

    def _make_server(self, **options):
        return heeding_silence(
            ModbusTcpServer(self._context, framer=FramerType.RTU, address=("127.0.0.1", self._port), **options)
        )

    def _unit(self, data):
        return data[0]


def configuration(bus):
    """Devices whose requests look all the same but for address and unit."""
    text = '[[product]]\nkey = "meter"\ngroup = [{ name = "g", interval = "50ms" }]\n'
    for address in (0, 100, 200, 300):
        text += f"""
[[product.point]]
identifier = "p{address}"
type = "UDINT"
area = "holding-register"
address = {address}
writable = {str(address == 300).lower()}
"""
    text += f'[[bus]]\nname = "line"\ntimeout = "{int(1000 * TIMEOUT)}ms"\nretries = 1\nmax-back-off = "100ms"\n{bus}\n'
    for unit in UNITS:
        text += f'[[device]]\nproduct = "meter"\nkey = "m{unit}"\nbus = "line"\nunit-identifier = {unit}\n'
    return text


def value(unit, address):
    """Both registers say where they are."""
    return (unit * 1000 + address) << 16 | (unit * 1000 + address + 1)


def fill(device, unit):
    for address in (0, 100, 200, 300):
        device.holding[address : address + 2] = [value(unit, address) >> 16, value(unit, address) & 0xFFFF]


@pytest.fixture(params=[(_Serial, 1), (_Serial, 2), (_RtuOverTcp, 3)], ids=["serial-1", "serial-2", "tcp-3"])
def noisy(request):
    kind, seed = request.param
    noise = Noise(seed, longest_delay=1.5 * TIMEOUT)
    devices = {unit: Device() for unit in UNITS}
    for unit, device in devices.items():
        fill(device, unit)
    server = kind(devices, noise).start()
    yield server, devices, noise
    server.stop()
    server.line.stop()


@pytest.mark.timeout(300)
def test_what_is_read_through_noise_is_right_or_bad(noisy, martlet, connect):
    server, devices, noise = noisy
    box = martlet(configuration(server.bus))
    posts = Posts(connect(at=box))
    good = bad = 0
    while noise.total < 150 or good < 150:
        post = posts.next()
        for name, point in post.points.items():
            if point.quality == GOOD:
                assert point.value == value(int(post.device[1:]), int(name[1:])), (name, post, noise.done, devices[int(post.device[1:])].requests[-4:])
                good += 1
            else:
                assert point.quality == BAD
                bad += 1
    assert bad > 0 and all(noise.done.values())
    # And when the noise ends, all is well again: a read that a device seemed not to answer is tried once a minute.
    noise.on = False
    for unit in UNITS:
        for name in ("p0", "p100", "p200", "p300"):
            posts.good(name, device=f"m{unit}", timeout=90)


def test_what_is_written_through_noise_is_there_when_it_is_said_to_be(noisy, martlet, connect):
    server, devices, noise = noisy
    box = martlet(configuration(server.bus))
    client = connect(at=box)
    commands = Commands(client, device="m2")
    taken = refused = 0
    number = 0
    while taken < 8 or refused < 2:
        number += 1
        wanted = number << 16 | number
        reply = commands.set(p300=wanted)
        if reply["code"] == 200:
            assert devices[2].holding[300:302] == [number, number], noise.done
            taken += 1
        else:
            refused += 1
        assert number < 400
    assert devices[1].holding[300:302] == [1300, 1301] and devices[3].holding[300:302] == [3300, 3301]


def test_delayed_and_glued_frames_of_modbus_tcp_are_never_taken_for_others(martlet, connect):
    noise = Noise(5, longest_delay=1.5 * TIMEOUT)
    noise.done = {"late": 0, "merged": 0}
    devices = {unit: Device() for unit in UNITS}
    for unit, device in devices.items():
        fill(device, unit)
    server = ModbusTcp(devices).start()
    line = NoisyTcpLine(server.port, noise, HOLD)
    box = martlet(configuration(f'protocol = "modbus-tcp"\nhost = "127.0.0.1"\nport = {line.port}'))
    posts = Posts(connect(at=box))
    good = 0
    while noise.total < 80 or good < 100:
        post = posts.next()
        for name, point in post.points.items():
            if point.quality == GOOD:
                assert point.value == value(int(post.device[1:]), int(name[1:])), (name, post)
                good += 1
    server.stop()
    line.stop()
