"""Modbus servers (pymodbus) over TCP and over a serial line, whose devices fail on command."""

import asyncio
import threading
import time
from dataclasses import dataclass

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.datastore import ModbusServerContext
from pymodbus.datastore.context import ModbusBaseDeviceContext
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusSerialServer, ModbusTcpServer

from .ports import free_port
from .process import Process

AREAS = {1: "coil", 5: "coil", 15: "coil", 2: "discrete-input", 4: "input-register"}
READS = (1, 2, 3, 4)


@dataclass
class Request:
    """One request as the device saw it; `time` is the wall clock in seconds."""

    time: float
    function: int
    address: int
    quantity: int


class Device(ModbusBaseDeviceContext):
    """One unit with 65536 addresses in each area."""

    def __init__(self):
        self.areas = {
            "coil": [False] * 65536,
            "discrete-input": [False] * 65536,
            "input-register": [0] * 65536,
            "holding-register": [0] * 65536,
        }
        self.requests = []
        #: While true, requests stay without an answer.
        self.silent = False
        #: So many of the next requests stay without an answer.
        self.requests_to_drop = 0
        #: Exceptions by address: a read or write that touches one is answered with it.
        self.exceptions = {}
        #: While true, answers leave with an error in their check sum (RTU) or their length (TCP).
        self.corrupt = False
        #: While true, writes are confirmed and change nothing.
        self.ignores_writes = False
        #: Called before each read, on the server's thread.
        self.before_read = lambda: None

    @property
    def holding(self):
        return self.areas["holding-register"]

    def reads(self, address=None):
        """The read requests so far that covered `address`."""
        return [
            request
            for request in list(self.requests)
            if request.function in READS
            and (address is None or request.address <= address < request.address + request.quantity)
        ]

    def getValues(self, func_code, address, count=1):
        if func_code in READS:
            self._note(func_code, address, count)
            self.before_read()
        return self._exception(address, count) or self._area(func_code)[address : address + count]

    def setValues(self, func_code, address, values):
        self._note(func_code, address, len(values))
        if refusal := self._exception(address, len(values)):
            return refusal
        if not self.ignores_writes:
            self._area(func_code)[address : address + len(values)] = values
        return None

    def _area(self, function):
        return self.areas[AREAS.get(function, "holding-register")]

    def _note(self, function, address, count):
        self.requests.append(Request(time.time(), function, address, count))
        if self.silent:
            raise NoSuchIdException("silent")
        if self.requests_to_drop > 0:
            self.requests_to_drop -= 1
            raise NoSuchIdException("dropped")

    def _exception(self, address, count):
        for place, code in self.exceptions.items():
            if address <= place < address + count:
                return ExcCodes(code)
        return None


class ModbusServer:
    """Serves `devices` (by unit identifier) on a thread of its own, until `stop`; may be started again."""

    def __init__(self, devices):
        self.devices = devices
        self._context = ModbusServerContext(devices=devices, single=False)
        #: How often somebody has connected.
        self.connections = 0

    def start(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(self._serve())
        return self

    def stop(self):
        if self._server is None:
            return
        self._call(self._server.shutdown())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._server = None

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _serve(self):
        server = self._make_server(ignore_missing_devices=True, trace_packet=self._trace, trace_connect=self._note_connection)
        await server.serve_forever(background=True)
        return server

    def _note_connection(self, is_connected):
        self.connections += is_connected

    def _trace(self, sending, data):
        device = self.devices.get(self._unit(data)) if sending and data else None
        return self._corrupted(data) if device and device.corrupt else data


class ModbusTcp(ModbusServer):
    """A Modbus TCP server at a free port of 127.0.0.1."""

    def __init__(self, devices):
        super().__init__(devices)
        self.port = free_port()

    @property
    def bus(self):
        """The keys of the `[[bus]]` that leads here."""
        return f'protocol = "modbus-tcp"\nhost = "127.0.0.1"\nport = {self.port}'

    def _make_server(self, **options):
        return ModbusTcpServer(self._context, address=("127.0.0.1", self.port), **options)

    def _unit(self, data):
        return data[6]

    def _corrupted(self, data):
        # One byte more than the request asked for, with the byte count and the MBAP length to match.
        length = int.from_bytes(data[4:6]) + 1
        return data[:4] + length.to_bytes(2) + data[6:8] + bytes([data[8] + 1]) + data[9:] + b"\x00"


class ModbusRtu(ModbusServer):
    """A Modbus RTU server at one end of a pair of pseudo terminals that socat connects."""

    def __init__(self, devices, directory, parity="none"):
        super().__init__(devices)
        self.parity = parity
        self.serial_port, self._far = directory / "tty-box", directory / "tty-field"
        self._line = Process(
            "socat",
            ["socat", f"pty,rawer,link={self.serial_port}", f"pty,rawer,link={self._far}"],
            directory / "socat.log",
        )

    @property
    def bus(self):
        return (
            f'protocol = "modbus-rtu"\nserial-port = "{self.serial_port}"\nbaud-rate = 115200\n'
            f'parity = "{self.parity}"\ndata-bits = 8\nstop-bits = 1'
        )

    def start(self):
        if not self._line.is_alive():
            self._line.launch()
            self._line.wait_until(lambda: self.serial_port.exists() and self._far.exists(), "the pseudo terminals")
        return super().start()

    def close_line(self):
        """Ends the serial line itself, so that both of its terminals vanish."""
        self._line.forget()

    def _make_server(self, **options):
        return ModbusSerialServer(
            self._context, framer=FramerType.RTU, port=str(self._far), baudrate=115200, **options
        )

    def _unit(self, data):
        return data[0]

    def _corrupted(self, data):
        return data[:-1] + bytes([data[-1] ^ 0xFF])


def meter(server):
    """The configuration of a meter on a line of its own: a temperature, and a set point that can be written."""
    return f"""
[[product]]
key = "meter"
[[product.group]]
name = "g"
interval = "100ms"
[[product.point]]
identifier = "temp"
type = "INT"
unit = "°C"
area = "input-register"
address = 0
[[product.point]]
identifier = "setpoint"
type = "INT"
area = "holding-register"
address = 0
writable = true
[[bus]]
name = "line"
timeout = "200ms"
retries = 0
{server.bus}
[[device]]
product = "meter"
key = "m1"
bus = "line"
unit-identifier = 1
"""
