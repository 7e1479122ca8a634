"""Small real PNG and JPEG files, made in code, the same for the same seed.

Belongs here: encoding pixels. Not here: which picture hangs on which note (`demo_crm_note_files.py`).
"""

import random
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_WIDTH: Final = 96
_HEIGHT: Final = 64
_TILES: Final = 8
"""A JPEG here is a square of so many tiles a side, each of one colour: no more than the first coefficient is needed."""
_BLOCK: Final = 8
_DC_LENGTH: Final = 4
_DC_SYMBOLS: Final = bytes(range(10))


def png(seed: int) -> bytes:
    """A picture with a gradient between two colours."""
    rng = random.Random(seed)  # noqa: S311 made-up pictures, not a secret
    start, end = ([rng.randrange(256) for _ in range(3)] for _ in range(2))
    rows = bytearray()
    for y in range(_HEIGHT):
        rows.append(0)
        for x in range(_WIDTH):
            share = (x + y) / (_WIDTH + _HEIGHT - 2)
            rows += bytes(round(low + share * (high - low)) for low, high in zip(start, end, strict=True))
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def jpeg(seed: int) -> bytes:
    """A picture of coloured tiles: baseline, three components, no subsampling."""
    rng = random.Random(seed)  # noqa: S311 as above
    tiles = [[rng.randrange(-120, 120), rng.randrange(-90, 90), rng.randrange(-90, 90)] for _ in range(_TILES**2)]
    side = _TILES * _BLOCK
    components = b"".join(bytes((number, 0x11, 0)) for number in (1, 2, 3))
    scan = b"\x03" + b"".join(bytes((number, 0x00)) for number in (1, 2, 3)) + b"\x00\x3f\x00"
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"),
            # Each coefficient is divided by 8, which for the first one makes it the tile's value itself.
            _segment(0xDB, b"\x00" + bytes([_BLOCK]) * 64),
            _segment(0xC0, struct.pack(">BHHB", 8, side, side, 3) + components),
            _segment(0xC4, b"\x00" + _code_counts(_DC_LENGTH, len(_DC_SYMBOLS)) + _DC_SYMBOLS),
            _segment(0xC4, b"\x10" + _code_counts(1, 1) + b"\x00"),
            _segment(0xDA, scan),
            _scan_data(tiles),
            b"\xff\xd9",
        )
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _code_counts(length: int, count: int) -> bytes:
    """How many Huffman codes there are of each length from 1 to 16, when all have the same."""
    return bytes(count if bits == length else 0 for bits in range(1, 17))


def _scan_data(tiles: Sequence[Sequence[int]]) -> bytes:
    bits = "".join(_tile_bits(tiles))
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return data.replace(b"\xff", b"\xff\x00")


def _tile_bits(tiles: Sequence[Sequence[int]]) -> Iterator[str]:
    before = [0, 0, 0]
    for tile in tiles:
        for component, value in enumerate(tile):
            change = value - before[component]
            size = abs(change).bit_length()
            yield f"{size:0{_DC_LENGTH}b}"
            if size:
                yield f"{change if change > 0 else change + (1 << size) - 1:0{size}b}"
            # The end of the block: no other coefficient.
            yield "0"
        before = list(tile)
