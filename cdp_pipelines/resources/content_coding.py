"""What `Content-Encoding` says of an answer that was asked for unpacked, and unpacking it while it streams.

Stores keep that header with a file as whoever put it there wrote it, so it holds anything: names that pack nothing
(`aws-chunked`, `utf-8`, `binary`), or `gzip` though nobody asked for it. Belongs here: reading the header, and bytes in
and out. Not here: the connection and the cap (`safe_http.py`).
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from cdp_pipelines.domain.contact_notes.declared_types import plain_content_type

PIECE_BYTES: Final = 64 * 1024
MOST_PACKINGS: Final = 2
MOST_MEMBERS: Final = 1_000
"""Of one gzip stream: programs that append to one make a few, and empty ones cost time without bringing anything."""

_GZIP: Final = frozenset({"gzip", "x-gzip"})
_GZIP_TYPES: Final = frozenset(
    {"application/gzip", "application/x-gzip", "application/x-gunzip", "application/gzipped"}
)
_DEFLATE: Final = frozenset({"deflate", "x-deflate"})
_NOT_UNPACKED: Final = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip", "bzip2"})
_WITH_GZIP_HEADER: Final = 16 + zlib.MAX_WBITS
_GZIP_START: Final = 0x1F


class CodingUnknown(Exception):
    """The answer is packed in a way that is not unpacked here."""


class CodingBroken(Exception):
    """What came is not what its packing says, or ends before it does."""


Unpack = Callable[[Iterable[bytes]], Iterator[bytes]]


def unpackers(content_encoding: str, content_type: str) -> list[Unpack]:
    """What undoes the packing, in the order to apply it; empty where nothing is packed.

    A name that is not known packs nothing, as browsers have it. A file that is a `.gz` by its type stays one: servers
    that go by the extension say of it that it is packed as well.

    Raises:
        CodingUnknown: it is packed in a way that cannot be undone here, or too many times.
    """
    names = [name.strip().strip('"').lower() for name in content_encoding.split(",")]
    if any(name in _NOT_UNPACKED for name in names):
        raise CodingUnknown
    packings = [name for name in names if name in _GZIP | _DEFLATE]
    if packings and packings[0] in _GZIP and plain_content_type(content_type) in _GZIP_TYPES:
        packings = packings[1:]
    if len(packings) > MOST_PACKINGS:
        raise CodingUnknown
    return [_gunzipped if name in _GZIP else _inflated for name in reversed(packings)]


def _gunzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """One member after the other; zeros and the like behind the last are left out, as `gzip` does."""
    inflater, members = None, 0
    for chunk in chunks:
        data = chunk
        while data:
            if inflater is None:
                if members and data[0] != _GZIP_START:
                    return
                members += 1
                if members > MOST_MEMBERS:
                    raise CodingBroken
                inflater = zlib.decompressobj(_WITH_GZIP_HEADER)
            yield from _pieces(inflater, data)
            if not inflater.eof:
                break
            data, inflater = inflater.unused_data, None
    if inflater is not None:
        raise CodingBroken


def _inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """With a header, as HTTP has it, or without, as some servers send it."""
    inflater, begun = None, b""
    for chunk in chunks:
        data = chunk
        if inflater is None:
            data = begun = begun + chunk
            if len(begun) < 2:
                continue
            has_header = begun[0] & 0x0F == zlib.DEFLATED and int.from_bytes(begun[:2], "big") % 31 == 0
            inflater = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        if inflater.eof:
            return
        yield from _pieces(inflater, data)
    if begun and (inflater is None or not inflater.eof):
        raise CodingBroken


def _pieces(inflater: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """What comes out of some bytes, never much at once, however much they were packed from."""
    try:
        while piece := inflater.decompress(data, PIECE_BYTES):
            yield piece
            data = inflater.unconsumed_tail
    except zlib.error:
        raise CodingBroken from None
