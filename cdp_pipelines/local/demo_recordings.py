"""Small real recordings, made in code, the same for the same seed: Ogg Opus, M4A and MP4.

Belongs here: containers and frames of silence. Not here: pictures (`demo_pictures.py`).
"""

import struct
from typing import Final

from cdp_pipelines.local.demo_pictures import jpeg

_OPUS_SILENCE: Final = b"\xf8\xff\xfe"
_OPUS_FRAME: Final = 960
_OPUS_BEFORE: Final = 312
_PACKETS_PER_PAGE: Final = 50
_AAC_SILENCE: Final = b"\x00\xc8\x00\x80\x23\x80"
_AAC_FRAME: Final = 1_024
_AAC_RATE: Final = 44_100
_AAC_CONFIG: Final = b"\x12\x08"
"""AAC-LC, 44,100 Hz, mono."""
_JPEG_SIDE: Final = 64
_UNITY: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def ogg_opus(seed: int) -> bytes:
    """A second or more of silence, as a messenger records a voice."""
    serial = seed & 0xFFFFFFFF
    packets = 50 + seed % 100
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, _OPUS_BEFORE, 48_000, 0, 0)
    vendor = b"demo"
    tags = b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", 0)
    pages = [_ogg_page([head], serial, 0, flags=2), _ogg_page([tags], serial, 1)]
    for first in range(0, packets, _PACKETS_PER_PAGE):
        here = min(_PACKETS_PER_PAGE, packets - first)
        last = first + here == packets
        position = (first + here) * _OPUS_FRAME
        silence = [_OPUS_SILENCE] * here
        pages.append(_ogg_page(silence, serial, len(pages), position=position, flags=4 if last else 0))
    return b"".join(pages)


def m4a(seed: int) -> bytes:
    """A second or more of silence, as a telephone records it."""
    frames = [_AAC_SILENCE] * (44 + seed % 90)
    entry = bytes(6) + struct.pack(">HIIHHHHI", 1, 0, 0, 1, 16, 0, 0, _AAC_RATE << 16)
    sample = _box(b"mp4a", entry, _esds(0x40, 5, _AAC_CONFIG))
    media = (_full(b"smhd", bytes(4)), b"soun")
    return _mp4(b"M4A ", frames, _AAC_FRAME, _AAC_RATE, sample, media, side=0)


def mp4(seed: int) -> bytes:
    """A few seconds of coloured tiles, one picture a second, each a JPEG."""
    frames = [jpeg(seed + number) for number in range(2 + seed % 3)]
    size = struct.pack(">HH", _JPEG_SIDE, _JPEG_SIDE)
    entry = bytes(6) + struct.pack(">H", 1) + bytes(16) + size + struct.pack(">IIIH", 0x480000, 0x480000, 0, 1)
    sample = _box(b"mp4v", entry + bytes(32) + struct.pack(">Hh", 24, -1), _esds(0x6C, 4, b""))
    media = (_full(b"vmhd", bytes(8), flags=1), b"vide")
    return _mp4(b"isom", frames, 1, 1, sample, media, side=_JPEG_SIDE)


def _ogg_page(packets: list[bytes], serial: int, number: int, *, position: int = 0, flags: int = 0) -> bytes:
    """A page of packets under 255 bytes each."""
    header = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, position, serial, number, 0, len(packets))
    page = header + bytes(len(packet) for packet in packets) + b"".join(packets)
    return page[:22] + struct.pack("<I", ogg_crc(page)) + page[26:]


def ogg_crc(page: bytes) -> int:
    """The checksum of a page whose own checksum is zero: CRC-32 that is neither reflected nor inverted."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x104C11DB7 if crc & 0x80000000 else 0)
    return crc


def _box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, name) + content


def _full(name: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)


def _descriptor(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


def _esds(object_type: int, stream_type: int, config: bytes) -> bytes:
    decoder = struct.pack(">BBBHII", object_type, stream_type << 2 | 1, 0, 0, 0, 0)
    decoder += _descriptor(0x05, config) if config else b""
    stream = bytes(3) + _descriptor(0x04, decoder) + _descriptor(0x06, b"\x02")
    return _full(b"esds", _descriptor(0x03, stream))


def _mp4(
    brand: bytes,
    frames: list[bytes],
    ticks: int,
    rate: int,
    sample: bytes,
    media: tuple[bytes, bytes],
    *,
    side: int,
) -> bytes:
    """One track whose frames, `ticks` long at `rate` a second, stand in one chunk before the index."""
    media_header, kind = media
    start = _box(b"ftyp", brand, struct.pack(">I", 0x200), brand, b"isom", b"mp42")
    data = _box(b"mdat", *frames)
    duration = len(frames) * ticks
    table = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), sample),
        _full(b"stts", struct.pack(">III", 1, len(frames), ticks)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, len(frames), 1)),
        _full(b"stsz", struct.pack(">II", 0, len(frames)), *(struct.pack(">I", len(frame)) for frame in frames)),
        _full(b"stco", struct.pack(">II", 1, len(start) + 8)),
    )
    here = _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1)))
    times = struct.pack(">IIII", 0, 0, rate, duration)
    track = _box(
        b"trak",
        _full(
            b"tkhd",
            struct.pack(">IIIII", 0, 0, 1, 0, duration) + bytes(8),
            struct.pack(">HHHH", 0, 0, 0 if side else 0x100, 0) + _UNITY + struct.pack(">II", side << 16, side << 16),
            flags=3,
        ),
        _box(
            b"mdia",
            _full(b"mdhd", times, struct.pack(">HH", 0x55C4, 0)),
            _full(b"hdlr", bytes(4) + kind + bytes(13)),
            _box(b"minf", media_header, here, table),
        ),
    )
    rest = struct.pack(">IH", 0x10000, 0x100) + bytes(10) + _UNITY + bytes(24) + struct.pack(">I", 2)
    return start + data + _box(b"moov", _full(b"mvhd", times, rest), track)
