"""Fixtures that every file of the system tests shares."""

import itertools

import pytest

from harness.broker import BROKER_UNDER_TEST, Martlet, Mosquitto, broker_under_test
from harness.modbus import Device, ModbusRtu, ModbusTcp
from harness.mqtt_client import Client
from harness.process import Process

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items):
    if BROKER_UNDER_TEST != "martlet":
        skip = pytest.mark.skip(reason="needs Martlet itself")
        for item in items:
            if item.get_closest_marker("martlet_only"):
                item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Attaches the ends of the logs of all running processes to a failure."""
    report = yield
    if report.failed:
        for process in list(Process.running):
            state = "running" if process.is_alive() else "ended"
            report.sections.append((f"log of {process.name} ({state})", process.log()[-8000:]))
    return report


@pytest.fixture
def keep():
    """Takes processes, servers and clients, and ends each of them after the test, the last one first."""
    kept = []

    def keep_one(thing):
        kept.append(thing)
        return thing

    yield keep_one
    for thing in reversed(kept):
        for end in ("forget", "drop", "stop", "close"):
            if hasattr(thing, end):
                getattr(thing, end)()
                break
        if hasattr(thing, "close_line"):
            thing.close_line()


@pytest.fixture(params=["3.1.1", "5.0"])
def version(request):
    """The version of MQTT that the test speaks."""
    return request.param


@pytest.fixture
def root():
    """A first topic level, and first part of client identifiers, that no other test uses."""
    return f"t{next(_numbers)}"


@pytest.fixture(scope="session")
def _shared_broker(tmp_path_factory):
    """One broker for all tests that leave it as it was."""
    broker = broker_under_test(tmp_path_factory.mktemp("shared-broker"))
    yield broker
    broker.forget()


@pytest.fixture
def broker(_shared_broker):
    """The broker under test, shared: use topics and client identifiers below `root`."""
    if not _shared_broker.is_alive():
        _shared_broker.start()
    yield _shared_broker
    assert _shared_broker.is_alive(), "the broker did not survive this test"


@pytest.fixture
def own_broker(tmp_path, keep):
    """A broker under test that may be crashed and restarted."""
    return keep(broker_under_test(tmp_path / "broker")).start()


@pytest.fixture
def connect(request, keep, root):
    """`connect("name", …)` gives a connected Client of `broker`, or of `at`."""

    def connect_one(name="client", version="3.1.1", *, at=None, **options):
        at = at or request.getfixturevalue("broker")
        return keep(Client(at.port, version, f"{root}-{name}", **options)).connect()

    return connect_one


@pytest.fixture
def martlet(tmp_path, keep):
    """`martlet("…toml…")` starts the binary with that configuration beside its appliance and listener sections."""
    return lambda configuration="", **options: keep(Martlet(tmp_path / "martlet", configuration, **options)).start()


@pytest.fixture
def mosquitto(tmp_path, keep):
    """`mosquitto(…)` starts a real mosquitto as a peer."""
    return lambda name="upstream", **options: keep(Mosquitto(tmp_path / name, name=name, **options)).start()


@pytest.fixture(params=["tcp", "rtu"])
def field(request, tmp_path, keep):
    """`field({1: Device(), …})` starts a Modbus server with these units, over TCP and over RTU in turn."""

    def start(devices=None):
        devices = devices or {1: Device()}
        server = ModbusTcp(devices) if request.param == "tcp" else ModbusRtu(devices, tmp_path)
        return keep(server).start()

    return start
