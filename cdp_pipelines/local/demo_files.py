"""Small real files for the demo CRM's notes: what a path is the address of, the same every time.

Belongs here: documents, and which kind of file a path names. Not here: pictures (`demo_pictures.py`), recordings
(`demo_recordings.py`), serving them (`crm_files.py`).
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from cdp_pipelines.local.demo_pictures import jpeg, png
from cdp_pipelines.local.demo_recordings import m4a, mp4, ogg_opus

_KEPT: Final = 512
_PRODUCTS: Final = ("Kopi Gayo 250 g", "抹茶 100 g", "Teh melati", "قهوة عربية", "Apfelschorle 1 l", "Bandrek")
_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEET: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_MIME: Final = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True, slots=True)
class DemoFile:
    """A file and the content type that a good server gives it."""

    content_type: str
    content: bytes


@lru_cache(_KEPT)
def demo_file(name: str) -> DemoFile | None:
    """The file of this name, another one for every name; None for an extension that is not known."""
    path = PurePosixPath(name)
    known = _KINDS.get(path.suffix)
    return None if known is None else DemoFile(known[0], known[1](zlib.crc32(path.name.encode())))


def content_type_of(extension: str) -> str:
    """The content type of a known extension, which begins with a dot."""
    return _KINDS[extension][0]


def _pdf(seed: int) -> bytes:
    text = f"BT /F1 18 Tf 40 90 Td (Penawaran {seed % 10_000}) Tj ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    file = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    index = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % place for place in places)
    file += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, index)
    return bytes(file)


def _rows(seed: int) -> list[tuple[str, int, int]]:
    return [
        (name, 1 + (seed >> place) % 40, 12_000 + (seed >> place) % 90 * 500) for place, name in enumerate(_PRODUCTS)
    ]


def _xlsx(seed: int) -> bytes:
    rows = "".join(
        f'<row><c t="inlineStr"><is><t>{name}</t></is></c><c><v>{count}</v></c><c><v>{price}</v></c></row>'
        for name, count, price in _rows(seed)
    )
    return _office(
        "xl/workbook.xml",
        f"{_MIME}.spreadsheetml.sheet.main+xml",
        {
            "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>'
            '<sheet name="Pesanan" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _relation(f"{_OFFICE}/worksheet", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEET}"><sheetData>{rows}</sheetData></worksheet>',
        },
        {"xl/worksheets/sheet1.xml": f"{_MIME}.spreadsheetml.worksheet+xml"},
    )


def _docx(seed: int) -> bytes:
    paragraphs = "".join(
        f"<w:p><w:r><w:t>{name}: {count} × Rp {price}</w:t></w:r></w:p>" for name, count, price in _rows(seed)
    )
    document = f'<w:document xmlns:w="{_WORD}"><w:body>{paragraphs}</w:body></w:document>'
    main = f"{_MIME}.wordprocessingml.document.main+xml"
    return _office("word/document.xml", main, {"word/document.xml": document}, {})


def _office(main: str, main_type: str, parts: Mapping[str, str], types: Mapping[str, str]) -> bytes:
    overrides = "".join(
        f'<Override PartName="/{name}" ContentType="{content_type}"/>'
        for name, content_type in {main: main_type, **types}.items()
    )
    content_types = (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{overrides}</Types>'
    )
    everything = {
        "[Content_Types].xml": content_types,
        "_rels/.rels": _relation(f"{_OFFICE}/officeDocument", main),
        **parts,
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in everything.items():
            # Of a fixed date, so that the bytes are the same every time.
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, _XML + text, compress_type=zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _relation(kind: str, target: str) -> str:
    return (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{kind}" Target="{target}"/></Relationships>'
    )


def _csv(seed: int) -> bytes:
    lines = ["produk,jumlah,harga", *(f"{name},{count},{price}" for name, count, price in _rows(seed))]
    return ("\r\n".join(lines) + "\r\n").encode()


_KINDS: Final[Mapping[str, tuple[str, Callable[[int], bytes]]]] = {
    ".png": ("image/png", png),
    ".jpg": ("image/jpeg", jpeg),
    ".pdf": ("application/pdf", _pdf),
    ".xlsx": (f"{_MIME}.spreadsheetml.sheet", _xlsx),
    ".docx": (f"{_MIME}.wordprocessingml.document", _docx),
    ".csv": ("text/csv", _csv),
    ".ogg": ("audio/ogg", ogg_opus),
    ".m4a": ("audio/mp4", m4a),
    ".mp4": ("video/mp4", mp4),
}
