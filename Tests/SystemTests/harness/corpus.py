"""The packets and conversations in Tests/Corpus, and what goes wrong with them."""

from pathlib import Path

from . import raw_mqtt

FOLDER = Path(__file__).resolve().parents[2] / "Corpus"
_TELLING = [0, 1, 2, 0x0B, 0x23, 0x26, 0x7F, 0x80, 0xC0, 0xED, 0xFE, 0xFF]


def _read(path):
    packets = []
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            parts = line.split("'")
            packets.append(b"".join(p.encode() if i % 2 else bytes.fromhex(p) for i, p in enumerate(parts)))
    return packets


def packets():
    return [packet for path in sorted(FOLDER.glob("packets-*")) for packet in _read(path)]


def conversations():
    return [_read(path) for path in sorted(FOLDER.glob("conversation-*"))]


def with_right_length(packet):
    """The packet with the Remaining Length that its bytes need."""
    end = next((i for i, byte in enumerate(packet[1:5], 1) if byte < 0x80), min(4, len(packet) - 1))
    body = packet[end + 1 :]
    return packet[:1] + raw_mqtt.variable(len(body)) + body


class Mutator:
    def __init__(self, random):
        self.random = random
        self._packets = packets()
        self._conversations = conversations()

    def packet(self, packet):
        data = bytearray(packet)
        for _ in range(self.random.randint(1, 4)):
            at = self.random.randrange(len(data)) if data else 0
            match self.random.randrange(7):
                case 0 | 1 if data:
                    data[at] ^= 1 << self.random.randrange(8)
                case 2 if data:
                    data[at] = self.random.choice(_TELLING)
                case 3:
                    del data[at : at + self.random.randint(1, 6)]
                case 4:
                    data[at:at] = self.random.randbytes(self.random.randint(1, 6))
                case 5 if len(data) > at + 1:
                    data[at : at + 2] = self.random.randrange(65536).to_bytes(2, "big")
                case _:
                    donor = self.random.choice(self._packets)
                    start = self.random.randrange(len(donor))
                    data[at:at] = donor[start : start + self.random.randint(1, 24)]
        if len(data) < 2 or self.random.random() < 0.25:
            return bytes(data)
        return with_right_length(bytes(data))

    def conversation(self):
        """A damaged conversation, most often behind a CONNECT that is as it should be."""
        connect, *rest = self.random.choice(self._conversations)
        for _ in range(self.random.randint(1, 6)):
            at = self.random.randrange(len(rest)) if rest else 0
            match self.random.randrange(6):
                case 0 if rest:
                    del rest[at]
                case 1 if rest:
                    rest[at:at] = [rest[at]] * self.random.randint(1, 30)
                case 2:
                    rest.insert(at, self.random.choice(self._packets))
                case 3:
                    self.random.shuffle(rest)
                case _ if rest:
                    rest[at] = self.packet(rest[at])
        return [self.packet(connect) if self.random.random() < 0.2 else connect, *rest]

    def pieces(self, packets):
        data = b"".join(packets)
        match self.random.randrange(3):
            case 0:
                return [data]
            case 1:
                return packets
            case _:
                size = self.random.randint(1, 40)
                return [data[at : at + size] for at in range(0, len(data), size)]
