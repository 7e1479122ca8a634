import re
import unicodedata
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_notes.attachments import (
    AttachmentSource,
    CrmAttachment,
    asset_name,
    attachment_key,
    attachment_type,
    declared_type,
    file_name_of,
    is_attachment_key,
    mismatch,
    stored_content_type,
)
from cdp_pipelines.domain.contact_notes.magic_bytes import reads_as_text
from cdp_pipelines_tests.unit.domain.contact_notes.samples import (
    BINARIES,
    DOCUMENTS,
    IMAGES,
    PAGES,
    PROGRAMS,
    SOUND_OR_VIDEO,
    SOUNDS,
    TEXTS,
    VIDEOS,
)

OOXML = "application/vnd.openxmlformats-officedocument."
SHEET, WORD = OOXML + "spreadsheetml.sheet", OOXML + "wordprocessingml.document"
ZIP, OLE, PDF = DOCUMENTS["application/zip"], DOCUMENTS["application/x-ole-storage"], DOCUMENTS["application/pdf"]
PNG, MP3, MP4 = IMAGES["image/png"], SOUNDS["audio/mpeg"], SOUND_OR_VIDEO["video/mp4"]
TEXT = b"a,b\n1,2\n"


def attachment(
    source: AttachmentSource = "document", file_name: str | None = None, content_type: str | None = None
) -> CrmAttachment:
    return CrmAttachment(12, source, "https://files.example/x", file_name, content_type, None)


@pytest.mark.parametrize(
    ("source", "content_type", "file_name", "expected"),
    [
        ("image", "image/png", "a.png", "image"),
        ("image", None, None, "image"),
        ("image", "application/pdf", "a.pdf", "image"),
        ("image", "video/mp4", "a.mp4", "video"),
        ("audio", "audio/mpeg", "a.mp3", "voice_note"),
        ("audio", None, None, "voice_note"),
        ("audio", "application/octet-stream", "a.bin", "voice_note"),
        ("audio", "VIDEO/MP4; codecs=x", "a.mp4", "video"),
        ("audio", "image/png", "a.png", "image"),
        ("document", "image/jpeg", "a.jpg", "image"),
        ("document", "audio/ogg", "a.ogg", "voice_note"),
        ("document", "video/quicktime", "a.mov", "video"),
        ("document", "application/pdf", "a.pdf", "pdf"),
        ("document", " Application/PDF ; x=y", None, "pdf"),
        ("document", None, "a.PDF", "pdf"),
        ("document", "application/octet-stream", "a.pdf", "pdf"),
        ("document", "binary/octet-stream", "a.b.pdf", "pdf"),
        ("document", "text/plain", "a.pdf", "pdf"),
        ("document", SHEET, "a.xlsx", "xlsx"),
        ("document", "application/vnd.ms-excel", "a.xls", "xlsx"),
        ("document", "application/vnd.ms-excel.sheet.macroEnabled.12", None, "xlsx"),
        ("document", "application/vnd.oasis.opendocument.spreadsheet", None, "xlsx"),
        ("document", None, "a.ods", "xlsx"),
        ("document", "", "a.xls", "xlsx"),
        ("document", "text/csv", "a.csv", "doc"),
        ("document", None, "a.csv", "doc"),
        ("document", WORD, "a.docx", "doc"),
        ("document", "application/msword", "a.pdf", "doc"),
        ("document", "application/zip", "a.zip", "doc"),
        ("document", "application/x-unknown", None, "doc"),
        ("document", None, "a.png", "image"),
        ("document", None, None, "doc"),
        # a type that says nothing gives way to the name
        ("document", None, "bb.png", "image"),
        ("document", "application/octet-stream", "bb.JPG", "image"),
        ("document", "binary/octet-stream", "memo.mp3", "voice_note"),
        ("document", "application/force-download", "clip.mp4", "video"),
        ("document", "application/x-download", "a.pdf", "pdf"),
        ("document", "text/plain", "Book.xlsx", "xlsx"),
        ("document", "text/plain; charset=utf-8", "memo.ogg", "voice_note"),
        ("document", "application/zip", "Book.xlsx", "xlsx"),
        ("document", "application/zip", "a.pdf", "pdf"),
        ("document", "application/x-zip-compressed", "Book.ODS", "xlsx"),
        ("document", "application/zip", "Letter.docx", "doc"),
        ("document", "image/*", "a.pdf", "pdf"),
        ("document", "image/unheard-of", "a.png", "image"),
        ("document", "file", "a.mov", "video"),
        ("audio", "application/octet-stream", "a.mp4", "voice_note"),
        ("image", "application/zip", "a.pdf", "image"),
        # drawings are called images, and none that a reader could show
        ("document", "image/x-dwg", "Plan.dwg", "doc"),
        ("image", "image/vnd.dwg", "Plan.dwg", "doc"),
        ("image", "image/vnd.dxf", None, "doc"),
        ("image", "application/octet-stream", "Plan.dwg", "doc"),
        ("document", "image/x-emf", "a.emf", "doc"),
        ("document", "image/vnd.djvu", "a.pdf", "doc"),
        ("document", None, "pdf", "doc"),
    ],
)
def test_type(source: AttachmentSource, content_type: str | None, file_name: str | None, expected: str) -> None:
    assert attachment_type(attachment(source, file_name, content_type)) == expected


XLSX_BYTES = b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml\x00\x01PK\x03\x04\x14\x00xl/workbook.xml\x00"
ODS_BYTES = b"PK\x03\x04\x14\x00\x00\x00mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK\x03\x04"
M4A = b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00"
THEORA = SOUND_OR_VIDEO["application/ogg"] + b"\x80theora"


@pytest.mark.parametrize(
    ("content_type", "file_name", "head", "expected"),
    [
        (None, None, PNG, "image"),
        ("application/octet-stream", "upload", IMAGES["image/jpeg"], "image"),
        ("application/zip", None, PNG, "image"),
        ("text/plain", None, PDF, "pdf"),
        (None, "scan", PDF, "pdf"),
        ("application/zip", "a.unknown", XLSX_BYTES, "xlsx"),
        (None, None, ODS_BYTES, "xlsx"),
        (None, None, ZIP, "doc"),
        (None, None, OLE, "doc"),
        (None, None, MP3, "voice_note"),
        (None, None, M4A, "voice_note"),
        (None, None, SOUND_OR_VIDEO["application/ogg"], "voice_note"),
        (None, None, THEORA, "video"),
        (None, None, MP4, "video"),
        (None, None, VIDEOS["video/x-msvideo"], "video"),
        ("text/plain", None, b"ID3 tags, and how to read them", "doc"),
        (None, None, TEXT, "doc"),
        (None, None, b"", "doc"),
        (None, "a.pdf", PNG, "pdf"),
        ("application/zip", "a.docx", PNG, "doc"),
        (WORD, None, PDF, "doc"),
        ("application/x-unknown", None, PNG, "image"),
    ],
)
def test_where_nothing_is_declared_the_bytes_say(
    content_type: str | None, file_name: str | None, head: bytes, expected: str
) -> None:
    row = attachment("document", file_name, content_type)

    assert attachment_type(row, head) == expected
    assert declared_type(row) in (None, expected)
    assert mismatch(head, row, "") is None or declared_type(row) is not None or not head


@pytest.mark.parametrize(
    ("source", "file_name", "content_type", "expected"),
    [
        ("image", "Photo.PNG", "image/jpeg", "image-12.png"),
        ("image", None, "image/jpeg; q=1", "image-12.jpg"),
        ("image", "photo", "image/webp", "image-12.webp"),
        ("audio", None, "audio/x-m4a", "audio-12.m4a"),
        ("document", "a.tar.gz", None, "document-12.gz"),
        ("document", "a.pdf ", None, "document-12.pdf"),
        ("document", "../../a.pdf", None, "document-12.pdf"),
        ("document", "a.p/df", "application/pdf", "document-12.pdf"),
        ("document", "a.pdf?x=1", SHEET, "document-12.xlsx"),
        ("document", "a.verylongextension", WORD, "document-12.docx"),
        ("document", "a.é", None, "document-12"),
        ("document", "a.", None, "document-12"),
        ("document", None, None, "document-12"),
        ("document", "page.HTML", "text/html", "document-12"),
        ("image", None, "image/svg+xml", "image-12"),
        ("image", "x.svg", "image/svg+xml", "image-12"),
    ],
)
def test_asset_name(source: AttachmentSource, file_name: str | None, content_type: str | None, expected: str) -> None:
    assert asset_name(attachment(source, file_name, content_type)) == expected


@pytest.mark.parametrize(
    ("file_name", "expected"),
    [
        ("Offer 2024.pdf", "Offer 2024.pdf"),
        ("Zoë's 文件.pdf", "Zoë's 文件.pdf"),
        ("👩\u200d💻.png", "👩\u200d💻.png"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\a.pdf", "a.pdf"),
        ("C:\\Users\\ann\\a.pdf", "a.pdf"),
        ("a\r\nb\x00.pdf", "ab.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\u2066\u200b\ufeff\u200e.pdf", "a.pdf"),
        ("a\u2028b.pdf", "ab.pdf"),
        ("a\ud800.pdf", "a.pdf"),
        ("  ..a.pdf.. ", "a.pdf"),
        ("", "document-12"),
        (None, "document-12"),
        ("..", "document-12"),
        ("a/", "document-12"),
        (" \u202e\n", "document-12"),
        ("x" * 300 + ".PDF", "x" * 251 + ".pdf"),
        ("x" * 300, "x" * 255),
    ],
)
def test_file_name(file_name: str | None, expected: str) -> None:
    assert file_name_of(attachment(file_name=file_name)) == expected


NAMES = (
    st.none() | st.text(max_size=300) | st.from_regex(r"[./\\a-z \x00\u202e]{0,20}\.[A-Za-z0-9]{1,9}", fullmatch=True)
)
CONTENT_TYPES = st.none() | st.text(max_size=20) | st.sampled_from(["image/png", "text/html", "application/pdf"])
ATTACHMENTS = st.builds(
    CrmAttachment,
    id=st.integers(1, 2**63 - 1),
    source=st.sampled_from(["image", "audio", "document"]),
    url=st.just("https://files.example/x"),
    file_name=NAMES,
    content_type=CONTENT_TYPES,
    file_size=st.none(),
)
IDS = st.text(min_size=1, max_size=20) | st.sampled_from([".", "..", "...", "/", "a/../b", "%2E%2E", "\r\n", "\ud800"])


@settings(max_examples=200)
@given(IDS, IDS, ATTACHMENTS)
def test_keys_and_names_are_safe_and_always_the_same(company: str, note: str, row: CrmAttachment) -> None:
    key, name = attachment_key(company, note, row), file_name_of(row)

    assert re.fullmatch(r"[A-Za-z0-9._~%-]+/[A-Za-z0-9._~%-]+/(image|audio|document)-[0-9]+(\.[a-z0-9]{1,8})?", key)
    assert ".." not in key
    assert all(segment != "." for segment in key.split("/"))
    assert key == attachment_key(company, note, row)
    assert 0 < len(name) <= 255
    assert not set(name) & set("/\\\u202e\u2066")
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name)
    assert name not in (".", "..")


@settings(max_examples=100)
@given(st.lists(st.tuples(IDS, IDS), min_size=2, max_size=2, unique=True))
def test_different_notes_never_share_a_key(notes: list[tuple[str, str]]) -> None:
    first, second = notes

    assert attachment_key(*first, attachment()) != attachment_key(*second, attachment())


def test_key() -> None:
    company = "5e0c0a3c-8a4b-4a2f-9d0a-0f6f1c9f2b11"

    assert attachment_key(company, "77", attachment("image", "a.png")) == f"{company}/77/image-12.png"
    for company_sso_id, note in (("", "77"), (company, "")):
        with pytest.raises(ValueError, match="ids"):
            attachment_key(company_sso_id, note, attachment())


@settings(max_examples=100)
@given(st.integers(1, 10**12), ATTACHMENTS)
def test_keys_are_told_by_their_form(note: int, row: CrmAttachment) -> None:
    key = attachment_key("company", str(note), row)
    assert is_attachment_key("company", key)
    assert not is_attachment_key("compan", key)
    assert not is_attachment_key("company", f"{key}/x")
    assert not is_attachment_key("company", key.replace("company/", "company/x/"))


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("declared", ["image/png", "image/heic", None])
def test_an_image_may_be_any_image(kind: str, declared: str | None) -> None:
    assert mismatch(IMAGES[kind], attachment("image", "a.png", declared), "") is None


@pytest.mark.parametrize("kind", SOUNDS | SOUND_OR_VIDEO)
@pytest.mark.parametrize("declared", ["audio/mpeg", None])
def test_a_sound_may_be_any_sound(kind: str, declared: str | None) -> None:
    assert mismatch(BINARIES[kind], attachment("audio", "a.mp3", declared), "") is None


@pytest.mark.parametrize("kind", VIDEOS | SOUND_OR_VIDEO)
def test_a_video_may_be_any_video(kind: str) -> None:
    assert mismatch(BINARIES[kind], attachment("document", "a.mp4", "video/mp4"), "") is None


@pytest.mark.parametrize(
    ("source", "content_type", "file_name", "head"),
    [
        ("document", "application/pdf", "a.pdf", PDF),
        ("document", None, "a.pdf", PDF),
        ("document", "text/plain", "a.pdf", PDF),
        ("document", SHEET, "a.xlsx", ZIP),
        ("document", SHEET, "a.xlsx", OLE),
        ("document", WORD, "a.docx", ZIP),
        ("document", "application/msword", "a.doc", OLE),
        ("document", "application/msword", "a.doc", DOCUMENTS["application/rtf"]),
        ("document", "application/msword", "a.doc", ZIP),
        ("document", "application/vnd.ms-excel", "a.csv", TEXT),
        ("document", "application/octet-stream", "a.docx", ZIP),
        ("document", "application/zip", "a.zip", DOCUMENTS["application/vnd.rar"]),
        ("document", "text/csv", "a.csv", TEXT),
        ("document", "text/html", "a.html", b"no markup"),
        ("document", "application/json", "a.json", b'{"a": 1}'),
        ("document", "message/rfc822", "a.eml", b"From: a@b.example\r\n\r\n<p>Hello</p>"),
        ("document", None, "a.mp4", MP4),
        ("document", None, "a.png", PNG),
        ("document", "application/x-unknown", "a.xyz", b"\x01\x02\x03"),
        ("document", None, None, PDF),
        ("document", None, None, b"\x01\x02\x03"),
        ("document", "image/svg+xml", "a.svg", PNG),
        ("document", "application/zip", "a.pdf", PDF),
        ("document", "application/zip", "Book.xlsx", ZIP),
        ("document", "application/zip", None, PDF),
        ("document", "application/x-zip-compressed", "a.png", PNG),
        ("document", "text/plain", None, PNG),
        ("document", "application/octet-stream", "Plan.dwg", b"AC1027\x00\x00"),
        ("document", "image/x-dwg", "Plan.dwg", b"AC1027\x00\x00"),
        ("image", "image/vnd.dwg", "Plan.dwg", b"AC1032\x00\x00"),
        ("image", "image/vnd.dxf", "Plan.dxf", b"  0\r\nSECTION\r\n"),
        ("document", "image/x-emf", None, b"\x01\x00\x00\x00l\x00\x00\x00"),
        ("document", "image/unheard-of", None, b"\x01\x02"),
        # text, whatever its first bytes look like
        ("document", "text/plain", "a.txt", b"MZ 4 is the model of the machine"),
        ("document", "text/plain", "a.txt", b"GIF89a is how such a file begins"),
        ("document", "text/csv", "a.csv", b"ID3,name\n1,Ann\n"),
        ("document", "text/csv", "a.csv", b"<b>,name\n"),
        ("document", None, "a.md", b"<p align=center>A title</p>\n"),
        ("document", "text/markdown", "README", b"<!-- a comment -->\n# Title"),
        ("document", "application/octet-stream", "a.log", b"#!/bin/sh was run\n"),
        ("document", "text/plain", None, b"<%= name %>, hello"),
        ("document", "message/rfc822", "a.eml", b"From: a@b.example\r\n\r\n<html><script>x()</script>"),
        ("document", "application/json", "a.json", b'["<script>alert(1)</script>"]'),
        ("document", "application/vnd.ms-excel", "a.csv", b"<a>;b\n"),
        ("document", "text/plain", "a.txt", b"RIFF and Rar!\x1b[0m, and %PDF-1.4"),
        ("document", "text/plain", "a.txt", "<html> aus Ägypten".encode("utf-16")),
        ("document", "text/plain", "a.txt", "Über <p>".encode("cp1252")),
    ],
)
def test_a_file_that_is_what_was_declared(
    source: AttachmentSource, content_type: str | None, file_name: str | None, head: bytes
) -> None:
    assert mismatch(head, attachment(source, file_name, content_type), "") is None


@pytest.mark.parametrize(
    ("source", "content_type", "file_name", "head", "reason"),
    [
        ("image", "image/png", "a.png", PDF, "it is not an image"),
        ("image", None, None, TEXT, "it is not an image"),
        ("image", "application/pdf", "a.pdf", PDF, "it is not an image"),
        ("image", "image/png", "a.png", MP4, "it is not an image"),
        ("image", "video/mp4", "a.mp4", PNG, "it is not a video"),
        ("document", "image/png", "a.png", ZIP, "it is not an image"),
        ("audio", "audio/mpeg", "a.mp3", PNG, "it is not a sound file"),
        ("audio", None, None, VIDEOS["video/x-msvideo"], "it is not a sound file"),
        ("audio", "audio/mpeg", "a.mp3", b"\x00" * 64, "it is not a sound file"),
        ("audio", "video/mp4", "a.mp4", MP3, "it is not a video"),
        ("document", "application/pdf", "a.pdf", PNG, "it is not a PDF"),
        ("document", None, "a.pdf", TEXT, "it is not a PDF"),
        ("document", "text/plain", "a.pdf", TEXT, "it is not a PDF"),
        ("document", "application/pdf", "a.pdf", PNG + PDF, "it is not a PDF"),
        ("document", "application/pdf", "a.pdf", b" " * 1_024 + PDF, "it is not a PDF"),
        ("document", SHEET, "a.xlsx", PDF, "it is not a spreadsheet"),
        ("document", SHEET, "a.xlsx", TEXT, "it is not a spreadsheet"),
        ("document", WORD, "a.docx", PNG, "it is not an office document"),
        ("document", "application/zip", "a.zip", PDF, "it is not an archive"),
        ("document", "text/csv", "a.csv", ZIP, "it is not plain text"),
        ("document", "text/plain", "a.txt", b"a\x00b", "it is not plain text"),
        ("document", "text/plain", "a.txt", PDF, "it is not plain text"),
        ("image", None, "a.txt", TEXT, "it is not an image"),
        ("image", "text/plain", "a.txt", b"<b>", "it is HTML, SVG or XML that can run scripts"),
        ("audio", "text/plain", "a.txt", TEXT, "it is not a sound file"),
        ("document", "image/png", "a.txt", TEXT, "it is not an image"),
        ("document", "video/mp4", "a.md", b"<b>", "it is HTML, SVG or XML that can run scripts"),
        ("document", "application/pdf", "a.txt", TEXT, "it is not a PDF"),
        ("document", "application/vnd.rar", "a.txt", TEXT, "it is not an archive"),
        ("document", "text/plain", "a.txt", MP4, "it is not plain text"),
        ("document", "text/csv", "a.csv", b"\x01\x02", "it is not plain text"),
        ("document", "text/plain", "a.txt", PROGRAMS[0], "it is a program"),
        ("document", "text/html", "a.txt", PAGES[0], "it is HTML, SVG or XML that can run scripts"),
        ("document", "text/plain", "a.html", PAGES[0], "it is HTML, SVG or XML that can run scripts"),
        ("document", "text/plain", "a.js", b"<script>", "it is HTML, SVG or XML that can run scripts"),
        ("document", "text/plain", "a.svg", b"<svg onload=x>", "it is HTML, SVG or XML that can run scripts"),
        ("document", "image/x-dwg", "Plan.dwg", PAGES[0], "it is HTML, SVG or XML that can run scripts"),
        ("document", "image/x-dwg", "Plan.dwg", PROGRAMS[0], "it is a program"),
        ("document", "application/zip", "a.pdf", ZIP, "it is not a PDF"),
        ("document", "application/zip", "a.png", PAGES[0], "it is HTML, SVG or XML that can run scripts"),
        ("document", "application/octet-stream", "a.mp4", PNG, "it is not a video"),
    ],
)
def test_a_file_that_is_something_else(
    source: AttachmentSource, content_type: str | None, file_name: str | None, head: bytes, reason: str
) -> None:
    assert mismatch(head, attachment(source, file_name, content_type), content_type or "") == reason


@pytest.mark.parametrize("head", [*PROGRAMS, *PAGES], ids=lambda head: repr(head[:40]))
@pytest.mark.parametrize(
    ("content_type", "file_name"),
    [("text/html", "a.html"), ("image/svg+xml", "a.svg"), ("text/xml", "a.xml"), ("application/pdf", "a.pdf"),
     ("application/x-msdownload", "a.exe"), ("application/vnd.ms-excel", "a.xls"), (None, None),
     ("text/plain", "a.html"), ("text/html", "a.txt"), ("application/zip", "a.js"), ("image/x-dwg", "a.dwg")],
)  # fmt: skip
def test_programs_and_pages_never_are_what_was_declared(
    content_type: str | None, file_name: str | None, head: bytes
) -> None:
    row = attachment("document", file_name, content_type)

    assert mismatch(head, row, content_type or "") is not None
    assert stored_content_type(row, head) == "application/octet-stream"


@pytest.mark.parametrize("head", [*PROGRAMS, *PAGES], ids=lambda head: repr(head[:40]))
@pytest.mark.parametrize(
    ("content_type", "file_name"),
    [("text/plain", "a.txt"), ("text/csv", "a.csv"), ("application/json", "a.json"), (None, "a.md"),
     ("text/plain", None)],
)  # fmt: skip
def test_what_is_declared_as_plain_text_is_stored_as_that_and_nothing_else(
    content_type: str | None, file_name: str | None, head: bytes
) -> None:
    """And a page that comes instead of it, such as one that asks for a password, is not the file."""
    row = attachment("document", file_name, content_type)
    is_text = reads_as_text(head)

    assert (mismatch(head, row, content_type or "") is None) is is_text
    assert stored_content_type(row, head) == ("text/plain" if is_text else "application/octet-stream")
    assert mismatch(head, row, "text/html; charset=utf-8") is not None


@pytest.mark.parametrize("source", ["image", "audio", "document"])
def test_an_empty_file_is_nothing(source: Literal["image", "audio", "document"]) -> None:
    assert mismatch(b"", attachment(source), "") == "it is empty"


@pytest.mark.parametrize(
    ("answered", "head", "reason"),
    [
        ("application/pdf", PDF, None),
        ("application/pdf; x=y", PNG, "it is not a PDF"),
        ("text/csv", b"a\x00", "it is not plain text"),
        ("application/octet-stream", b"\x00", None),
        ("", b"\x00", None),
        ("text/plain", PNG, None),
        ("application/zip", PDF, None),
    ],
)
def test_what_the_server_says_counts_where_nothing_was_declared(answered: str, head: bytes, reason: str | None) -> None:
    assert mismatch(head, attachment(), answered) == reason
    assert mismatch(MP4, attachment(file_name="a.mp4"), answered) is None
    assert mismatch(ZIP, attachment(content_type=WORD), answered) is None


@pytest.mark.parametrize(
    ("source", "content_type", "file_name", "head", "expected"),
    [
        ("image", "image/png", "a.png", PNG, "image/png"),
        ("image", "image/png", "a.png", IMAGES["image/jpeg"], "image/jpeg"),
        ("image", None, None, IMAGES["image/heic"], "image/heic"),
        ("image", "image/svg+xml", "a.svg", PNG, "image/png"),
        ("image", None, "a.psd", IMAGES["image/vnd.adobe.photoshop"], "application/octet-stream"),
        ("audio", "audio/mpeg", "a.mp3", MP3, "audio/mpeg"),
        ("audio", "audio/mp4", "a.m4a", MP4, "audio/mp4"),
        ("audio", None, None, SOUND_OR_VIDEO["application/ogg"], "audio/ogg"),
        ("audio", "audio/webm", None, SOUND_OR_VIDEO["video/x-matroska"], "audio/webm"),
        ("audio", "video/webm", None, SOUND_OR_VIDEO["video/x-matroska"], "video/webm"),
        ("document", "video/ogg", None, SOUND_OR_VIDEO["application/ogg"], "video/ogg"),
        ("document", "video/mp4", "a.mp4", MP4, "video/mp4"),
        ("document", None, "a.ogg", SOUND_OR_VIDEO["application/ogg"], "audio/ogg"),
        ("document", None, None, THEORA, "video/ogg"),
        ("document", "application/zip", "a.pdf", PDF, "application/pdf"),
        ("document", "application/zip", "Book.xlsx", ZIP, SHEET),
        ("image", "image/vnd.dwg", "Plan.dwg", b"AC1032\x00", "application/octet-stream"),
        ("document", "text/csv", "a.csv", b"<b>,name\n", "text/plain"),
        ("document", "application/json", "a.json", b'["<script>"]', "text/plain"),
        ("document", "text/plain", "a.txt", b"ID3 tags", "text/plain"),
        ("document", "application/pdf", "a.pdf", PDF, "application/pdf"),
        ("document", SHEET, None, ZIP, SHEET),
        ("document", None, "a.docx", ZIP, WORD),
        ("document", SHEET, "a.xlsx", OLE, "application/octet-stream"),
        ("document", None, "a.doc", OLE, "application/msword"),
        ("document", "application/vnd.ms-excel", None, OLE, "application/vnd.ms-excel"),
        ("document", "application/msword", "a.doc", ZIP, "application/zip"),
        ("document", None, "a.zip", ZIP, "application/zip"),
        ("document", "application/rtf", "a.rtf", DOCUMENTS["application/rtf"], "application/rtf"),
        ("document", "text/csv", "a.csv", TEXT, "text/csv"),
        ("document", "application/vnd.ms-excel", "a.csv", TEXT, "text/csv"),
        ("document", None, "a.json", b"{}", "application/json"),
        ("document", "text/plain", None, TEXT, "text/plain"),
        ("document", "text/html", "a.html", b"no markup", "text/plain"),
        ("document", "text/xml", "a.xml", b"<note/>", "text/plain"),
        ("document", None, None, TEXT, "application/octet-stream"),
        ("document", None, None, b"\x01\x02", "application/octet-stream"),
        ("document", "text/html", "a.html", b"", "text/plain"),
    ],
)
def test_stored_content_type(
    source: AttachmentSource, content_type: str | None, file_name: str | None, head: bytes, expected: str
) -> None:
    assert stored_content_type(attachment(source, file_name, content_type), head) == expected


@settings(max_examples=200)
@given(ATTACHMENTS, st.sampled_from([*BINARIES.values(), *TEXTS, *PAGES, *PROGRAMS]) | st.binary(max_size=32))
def test_nothing_is_ever_stored_as_a_page(row: CrmAttachment, head: bytes) -> None:
    stored = stored_content_type(row, head)

    assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", stored)
    assert not re.search(r"html|svg|xml\b|script", stored.replace("openxml", ""))
