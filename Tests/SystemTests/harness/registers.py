"""How values lie in registers, computed apart from Martlet: `struct` and the definition of the word orders."""

import struct

_FORMATS = {
    "INT": ">h",
    "UINT": ">H",
    "DINT": ">i",
    "UDINT": ">I",
    "LINT": ">q",
    "ULINT": ">Q",
    "REAL": ">f",
    "LREAL": ">d",
}


def registers_of(type, value, order="abcd", length=0):
    """The registers of a value; `length` is the number of bytes of a STRING, which is filled up with NUL."""
    data = value.encode().ljust(length + length % 2, b"\0") if type == "STRING" else struct.pack(_FORMATS[type], value)
    words = [data[at : at + 2] for at in range(0, len(data), 2)]
    if order in ("cdab", "dcba") and type != "STRING":
        words.reverse()
    if order in ("badc", "dcba"):
        words = [word[::-1] for word in words]
    return [int.from_bytes(word) for word in words]
