"""The demo's files are what they say: signatures, checksums and structure, and programs that open them."""

import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
from openpyxl import load_workbook

from cdp_pipelines.local import crm_files
from cdp_pipelines.local.crm_files import file_reply
from cdp_pipelines.local.demo_files import content_type_of, demo_file
from cdp_pipelines.local.demo_recordings import ogg_crc

SIGNATURES = {
    ".png": (0, b"\x89PNG\r\n\x1a\n"),
    ".jpg": (0, b"\xff\xd8\xff\xe0"),
    ".pdf": (0, b"%PDF-1."),
    ".xlsx": (0, b"PK\x03\x04"),
    ".docx": (0, b"PK\x03\x04"),
    ".csv": (0, b"produk,"),
    ".ogg": (0, b"OggS\x00\x02"),
    ".m4a": (4, b"ftypM4A "),
    ".mp4": (4, b"ftypisom"),
}


def content(name: str) -> bytes:
    file = demo_file(name)
    assert file is not None
    return file.content


@pytest.mark.parametrize("extension", SIGNATURES)
def test_each_kind_has_its_signature_and_is_the_same_every_time(extension: str) -> None:
    place, signature = SIGNATURES[extension]
    found = content(f"a{extension}")
    assert found[place : place + len(signature)] == signature
    demo_file.cache_clear()
    assert content(f"a{extension}") == found != content(f"b{extension}")
    assert 100 < len(found) < 10_000
    assert demo_file(f"a{extension}").content_type == content_type_of(extension)  # type: ignore[union-attr]


def test_what_is_not_known_is_no_file() -> None:
    assert demo_file("a.exe") is None
    assert demo_file("a") is None


def test_a_png_is_whole() -> None:
    data = content("a.png")
    chunks = list(_png_chunks(data[8:]))
    assert [name for name, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    width, height = struct.unpack(">II", chunks[0][1][:8])
    assert len(zlib.decompress(chunks[1][1])) == height * (1 + 3 * width)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    while data:
        (size,) = struct.unpack(">I", data[:4])
        name, body, rest = data[4:8], data[8 : 8 + size], data[8 + size :]
        assert struct.unpack(">I", rest[:4]) == (zlib.crc32(name + body),)
        yield name, body
        data = rest[4:]


def test_a_jpeg_has_its_segments_in_order_and_an_end() -> None:
    data = content("a.jpg")
    markers, place = [], 2
    while data[place + 1] != 0xDA:
        markers.append(data[place + 1])
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    assert markers == [0xE0, 0xDB, 0xC0, 0xC4, 0xC4]
    scan = data[place + 2 + int.from_bytes(data[place + 2 : place + 4], "big") : -2]
    assert data[-2:] == b"\xff\xd9"
    # Within the scan, no marker: every 0xff is followed by 0x00.
    assert scan.count(b"\xff") == scan.count(b"\xff\x00")
    assert any(content(f"{number}.jpg").count(b"\xff\x00") for number in range(20))


def test_an_ogg_has_whole_pages_that_follow_one_another() -> None:
    data, pages = content("a.ogg"), []
    while data:
        (count,) = data[26:27]
        size = 27 + count + sum(data[27 : 27 + count])
        page, data = data[:size], data[size:]
        assert ogg_crc(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")
        pages.append(page)
    assert [int.from_bytes(page[18:22], "little") for page in pages] == list(range(len(pages)))
    assert (pages[0][5], pages[-1][5]) == (2, 4)
    assert pages[0][28:36] == b"OpusHead"
    # The check value of CRC-32/CKSUM, 0x765e7680, without its inversion.
    assert ogg_crc(b"123456789") == 0x89A1897F


@pytest.mark.parametrize("name", ["a.m4a", "a.mp4"])
def test_boxes_fill_the_file_and_the_index_leads_to_the_frames(name: str) -> None:
    data = content(name)
    boxes, place = {}, 0
    while place < len(data):
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        boxes[kind] = (place, size)
        place += size
    assert (list(boxes), place) == ([b"ftyp", b"mdat", b"moov"], len(data))
    offset = data.index(b"stco") + 12
    assert int.from_bytes(data[offset : offset + 4], "big") == boxes[b"mdat"][0] + 8
    sizes = data.index(b"stsz") + 8
    _, count = struct.unpack(">II", data[sizes : sizes + 8])
    frames = struct.unpack(f">{count}I", data[sizes + 8 : sizes + 8 + 4 * count])
    assert sum(frames) == boxes[b"mdat"][1] - 8


def test_a_pdf_index_leads_to_its_objects() -> None:
    data = content("a.pdf")
    start = int(data.rsplit(b"startxref\n", 1)[1].split(b"\n", 1)[0])
    lines = data[start:].split(b"\n")
    assert lines[0] == b"xref"
    for number, line in enumerate(lines[3 : 3 + int(lines[1].split()[1]) - 1], start=1):
        assert data[int(line[:10]) :].startswith(b"%d 0 obj" % number)


def test_openpyxl_opens_the_workbook() -> None:
    workbook = load_workbook(io.BytesIO(content("a.xlsx")))
    rows = list(workbook["Pesanan"].values)
    assert rows[0][0] == "Kopi Gayo 250 g"
    assert all(isinstance(value, int) for row in rows for value in row[1:])


def test_the_document_is_a_package_of_xml() -> None:
    with zipfile.ZipFile(io.BytesIO(content("a.docx"))) as archive:
        assert archive.testzip() is None
        roots = {name: ET.fromstring(archive.read(name)) for name in archive.namelist()}
    assert list(roots) == ["[Content_Types].xml", "_rels/.rels", "word/document.xml"]
    assert "抹茶" in "".join(roots["word/document.xml"].itertext())


def test_the_csv_reads_back() -> None:
    rows = list(csv.DictReader(io.StringIO(content("a.csv").decode(), newline="")))
    assert {"produk", "jumlah", "harga"} == set(rows[0])
    assert len(rows) == 6


class TestServer:
    def test_a_path_is_the_file_of_its_last_part(self) -> None:
        reply = file_reply("/files/7/a.png")
        assert (reply.status, reply.headers) == (200, {"Content-Type": "image/png"})
        assert b"".join(reply.pieces or ()) == content("a.png")
        assert reply.length == len(content("a.png"))

    @pytest.mark.parametrize("path", ["/files/missing/a.png", "/files/a.exe", "/files/", "/files/large"])
    def test_no_such_file(self, path: str) -> None:
        assert file_reply(path).status == 404

    def test_a_page_that_is_declared_an_image(self) -> None:
        reply = file_reply(f"{crm_files.HTML}a.png")
        assert reply.headers == {"Content-Type": "image/png"}
        assert b"".join(reply.pieces or ()).startswith(b"<!DOCTYPE html>")

    def test_large_ones_are_as_long_as_they_say(self) -> None:
        reply = file_reply(f"{crm_files.LARGE}a.mp4")
        pieces = list(reply.pieces or ())
        assert sum(map(len, pieces)) == reply.length == crm_files.LARGE_BYTES > 25 * 1024 * 1024
        assert pieces[0][4:8] == b"ftyp"
        assert max(map(len, pieces)) < 100_000
        endless = file_reply(f"{crm_files.ENDLESS}a.mp4")
        assert endless.length is None
        assert sum(map(len, endless.pieces or ())) == crm_files.ENDLESS_BYTES

    def test_moved_ones_say_where(self) -> None:
        here = file_reply(f"{crm_files.MOVED_HERE}a.png")
        private = file_reply(f"{crm_files.MOVED_PRIVATE}a.png")
        assert (here.status, here.headers) == (302, {"Location": "/files/a.png"})
        assert (private.status, private.headers) == (302, {"Location": crm_files.METADATA_URL})
