"""What `Content-Encoding` is taken for, and what comes out of packed bytes however they are cut."""

import gzip
import random
import time
import zlib
from collections.abc import Iterable

import pytest

from cdp_pipelines.resources.content_coding import PIECE_BYTES, CodingBroken, CodingUnknown, unpackers


def packed_with_gzip(content: bytes) -> bytes:
    """Without the time of packing: cases are named by their values, and all workers must name them alike."""
    return gzip.compress(content, mtime=0)


CONTENT = b"%PDF-1.7\n" + bytes(range(256)) * 300
RAW = zlib.compressobj(wbits=-15)
DEFLATED_RAW = RAW.compress(CONTENT) + RAW.flush()


def unpacked(coding: str, chunks: Iterable[bytes], content_type: str = "") -> bytes:
    for unpack in unpackers(coding, content_type):
        chunks = unpack(chunks)
    return b"".join(chunks)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize(
    "coding",
    ["", "identity", "identity, identity", "aws-chunked", "utf-8", "UTF8", "binary", "8bit", "none", "base64", "null",
     "application/pdf", "iso-8859-1", ",", " , identity,", '"identity"', "aws-chunked,utf-8", "x-unheard-of"],
)  # fmt: skip
def test_a_name_that_packs_nothing_changes_nothing(coding: str) -> None:
    assert unpackers(coding, "application/pdf") == []


@pytest.mark.parametrize("size", [1, 2, 7, 1_000, 1_000_000])
@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", packed_with_gzip(CONTENT)),
        ("x-gzip", packed_with_gzip(CONTENT)),
        ("GZIP", packed_with_gzip(CONTENT)),
        ("gzip, identity", packed_with_gzip(CONTENT)),
        ("identity,gzip", packed_with_gzip(CONTENT)),
        ("gzip,aws-chunked", packed_with_gzip(CONTENT)),
        ("utf-8, gzip", packed_with_gzip(CONTENT)),
        ("gzip, gzip", packed_with_gzip(packed_with_gzip(CONTENT))),
        ("deflate", zlib.compress(CONTENT)),
        ("deflate", DEFLATED_RAW),
        ("deflate, gzip", packed_with_gzip(zlib.compress(CONTENT))),
        ("gzip, deflate", zlib.compress(packed_with_gzip(CONTENT))),
        ("gzip", packed_with_gzip(CONTENT[:100]) + packed_with_gzip(b"") + packed_with_gzip(CONTENT[100:])),
        ("gzip", packed_with_gzip(CONTENT) + bytes(512)),
        ("gzip", packed_with_gzip(CONTENT) + b"and more"),
        ("deflate", zlib.compress(CONTENT) + bytes(3)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_packed_comes_out_as_it_was(coding: str, packed: bytes, size: int) -> None:
    assert unpacked(coding, cut(packed, size)) == CONTENT


@pytest.mark.parametrize("coding", ["gzip", "deflate", "gzip, deflate", "identity"])
def test_nothing_is_nothing(coding: str) -> None:
    assert unpacked(coding, []) == b""


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "x-compress", "gzip, br", "gzip, gzip, gzip", "BR"])
def test_a_packing_that_is_not_undone_here(coding: str) -> None:
    with pytest.raises(CodingUnknown):
        unpackers(coding, "")


@pytest.mark.parametrize("content_type", ["application/gzip", "application/x-gzip; a=b", "Application/X-Gunzip"])
def test_a_file_that_is_a_gz_stays_one(content_type: str) -> None:
    """Servers that go by the extension say of `backup.tar.gz` that it is packed."""
    packed = packed_with_gzip(CONTENT)

    assert unpacked("x-gzip", [packed], content_type) == packed
    assert unpacked("gzip, gzip", [packed_with_gzip(packed)], content_type) == packed
    assert unpacked("x-gzip", [packed], "application/x-tar") == CONTENT


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", b"no gzip"),
        ("gzip", b"\x1f"),
        ("gzip", packed_with_gzip(CONTENT)[:-1]),
        ("gzip", packed_with_gzip(CONTENT)[:100]),
        ("gzip", packed_with_gzip(CONTENT)[:-8] + bytes(8)),
        ("gzip", packed_with_gzip(b"a") + packed_with_gzip(CONTENT)[:20]),
        ("deflate", b"\x78"),
        ("deflate", b"no deflate"),
        ("deflate", zlib.compress(CONTENT)[:-1]),
        ("deflate", DEFLATED_RAW[:-1]),
        ("gzip, gzip", packed_with_gzip(b"only once")),
        ("gzip", packed_with_gzip(b"") * 1_001),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1_000_000])
def test_what_is_broken_or_cut_off_is_told(coding: str, packed: bytes, size: int) -> None:
    with pytest.raises(CodingBroken):
        unpacked(coding, cut(packed, size))


def test_a_bomb_comes_in_small_pieces_and_only_as_far_as_wanted() -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    (unpack,) = unpackers("gzip", "")
    begun = time.monotonic()
    pieces = unpack([bomb])
    first = [next(pieces) for _ in range(10)]

    assert [len(piece) for piece in first] == [PIECE_BYTES] * 10
    assert time.monotonic() - begun < 1


def test_many_small_members_take_no_time_and_no_more_than_some() -> None:
    noise = random.Random(1).randbytes(200)
    members = packed_with_gzip(noise) * 1_000

    assert unpacked("gzip", cut(members, 65_536)) == noise * 1_000
