"""The Sparkplug B payloads in Tests/Corpus, which the unit tests read and write, are what Google's protobuf makes."""

import struct
from pathlib import Path

from harness.sparkplug import TYPES, Payload

FILE = Path(__file__).parents[1] / "Corpus" / "sparkplug.txt"
TIME = 1_700_000_000_123


def every_type():
    """A metric of each type that a value can have, at the ends of its range."""
    payload = Payload(timestamp=TIME, seq=0)
    for name, field, values in [
        ("Int8", "int_value", [0x80, 0xFF, 0x7F]), ("Int16", "int_value", [0x8000, 0xFFFF, 0x7FFF]),
        ("Int32", "int_value", [0x80000000, 0xFFFFFFFF, 0x7FFFFFFF]),
        ("Int64", "long_value", [1 << 63, (1 << 64) - 1, (1 << 63) - 1]), ("UInt8", "int_value", [0, 0xFF]),
        ("UInt16", "int_value", [0, 0xFFFF]), ("UInt32", "int_value", [0, 0xFFFFFFFF]),
        ("UInt64", "long_value", [0, (1 << 64) - 1]), ("Float", "float_value", [-0.5, struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]]),
        ("Double", "double_value", [-1e300, 0.1]), ("Boolean", "boolean_value", [False, True]),
        ("String", "string_value", ["", "é測"]), ("DateTime", "long_value", [TIME]), ("Text", "string_value", ["a\nb"]),
        ("UUID", "string_value", ["123e4567-e89b-12d3-a456-426614174000"]), ("Bytes", "bytes_value", [b"", b"\x00\xff"]),
        ("File", "bytes_value", [b"MZ"]),
    ]:
        for value in values:
            payload.metrics.add(name=name, timestamp=TIME, datatype=TYPES[name], **{field: value})
    return payload


def every_array():
    payload = Payload(timestamp=TIME, seq=1)
    for name, value in [
        ("Int8Array", struct.pack("<2b", -128, 127)), ("Int16Array", struct.pack("<2h", -32768, 32767)),
        ("Int32Array", struct.pack("<2i", -(1 << 31), (1 << 31) - 1)),
        ("Int64Array", struct.pack("<2q", -(1 << 63), (1 << 63) - 1)), ("UInt8Array", struct.pack("<2B", 0, 255)),
        ("UInt16Array", struct.pack("<2H", 0, 65535)), ("UInt32Array", struct.pack("<2I", 0, (1 << 32) - 1)),
        ("UInt64Array", struct.pack("<2Q", 0, (1 << 64) - 1)), ("FloatArray", struct.pack("<2f", 0.5, -2)),
        ("DoubleArray", struct.pack("<2d", 0.1, -1e300)),
        # Ten booleans: the first one is the most significant bit.
        ("BooleanArray", struct.pack("<I", 10) + bytes([0b10110000, 0b01000000])), ("StringArray", b"a\0\0\xc3\xa9\0"),
        ("DateTimeArray", struct.pack("<2Q", 0, TIME)),
    ]:
        payload.metrics.add(name=name, timestamp=TIME, datatype=TYPES[name], bytes_value=value)
    return payload


def data_by_alias():
    payload = Payload(timestamp=TIME, seq=255)
    payload.metrics.add(alias=1, timestamp=TIME - 5000, is_historical=True, double_value=61.5)
    null = payload.metrics.add(alias=300, timestamp=TIME, is_null=True)
    null.properties.keys.extend(["Quality", "Reason"])
    null.properties.values.add(type=TYPES["Int32"], int_value=0)
    null.properties.values.add(type=TYPES["String"], string_value="timeout")
    payload.metrics.add(alias=(1 << 64) - 1, timestamp=TIME, is_transient=True, boolean_value=True)
    return payload


def properties():
    """Properties of every kind, sets and lists of sets among them."""
    payload = Payload(timestamp=TIME, seq=2, uuid="schema", body=b"\x01\x02")
    values = payload.metrics.add(name="a/b", datatype=TYPES["Double"], double_value=1.0).properties
    values.keys.extend(["i", "l", "f", "d", "b", "s", "n", "set", "sets"])
    values.values.add(type=TYPES["UInt32"], int_value=7)
    values.values.add(type=TYPES["UInt64"], long_value=1 << 40)
    values.values.add(type=TYPES["Float"], float_value=0.5)
    values.values.add(type=TYPES["Double"], double_value=0.1)
    values.values.add(type=TYPES["Boolean"], boolean_value=True)
    values.values.add(type=TYPES["String"], string_value="x" * 200)
    values.values.add(type=TYPES["String"], is_null=True)
    inner = values.values.add(type=TYPES["PropertySet"]).propertyset_value
    inner.keys.append("k")
    inner.values.add(type=TYPES["String"], string_value="v")
    sets = values.values.add(type=TYPES["PropertySetList"]).propertysets_value
    for text in ("one", "two"):
        item = sets.propertyset.add(keys=["k"])
        item.values.add(type=TYPES["String"], string_value=text)
    return payload


def data_set_and_template():
    payload = Payload(timestamp=TIME, seq=3)
    table = payload.metrics.add(name="table", datatype=TYPES["DataSet"]).dataset_value
    table.num_of_columns = 2
    table.columns.extend(["n", "text"])
    table.types.extend([TYPES["Int32"], TYPES["String"]])
    row = table.rows.add()
    row.elements.add(int_value=1)
    row.elements.add(string_value="one")
    template = payload.metrics.add(name="motor", datatype=TYPES["Template"]).template_value
    template.version = "1"
    template.template_ref = "Motor"
    template.metrics.add(name="rpm", datatype=TYPES["Double"], double_value=1500)
    template.parameters.add(name="max", type=TYPES["Int32"], int_value=3000)
    file = payload.metrics.add(name="file", datatype=TYPES["File"], bytes_value=b"abc")
    file.metadata.content_type = "text/plain"
    file.metadata.size = 3
    return payload


def death():
    payload = Payload(timestamp=TIME)
    payload.metrics.add(name="bdSeq", timestamp=TIME, datatype=TYPES["Int64"], long_value=255)
    return payload


PAYLOADS = [every_type, every_array, data_by_alias, properties, data_set_and_template, death]


def text():
    lines = ["# Sparkplug B payloads as protobuf writes them, in hexadecimal, one a line; test_sparkplug_corpus.py makes them."]
    for make in PAYLOADS:
        lines += [f"# {make.__name__.replace('_', ' ')}", make().SerializeToString(deterministic=True).hex().upper()]
    return "\n".join(lines) + "\n"


def test_the_payloads_of_the_unit_tests_are_those_of_protobuf():
    assert FILE.read_text() == text()


if __name__ == "__main__":
    FILE.write_text(text())
