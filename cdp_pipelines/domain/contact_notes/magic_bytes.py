"""What a file is by its first bytes, whatever it is called.

Belongs here: signatures, and what no attachment may be. Not here: what was declared, and whether the two agree
(`attachments.py`).
"""

import re
from typing import Final

PDF_WITHIN: Final = 1_024
"""Readers look for the header so far into a file, since mail and printers put lines of their own before it."""

# In the order they are looked at; (offset, bytes, content type).
_SIGNATURES: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (0, b"8BPS\x00", "image/vnd.adobe.photoshop"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"OggS", "application/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"#!AMR\n", "audio/amr"),
    (0, b"#!AMR-WB\n", "audio/amr-wb"),
    (0, b"caff\x00", "audio/x-caf"),
    (0, b"MThd\x00\x00\x00\x06", "audio/midi"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (0, b"\x00\x00\x01\xba", "video/mpeg"),
    (0, b"\x00\x00\x01\xb3", "video/mpeg"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "video/x-ms-asf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"PK\x07\x08", "application/zip"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"7z\xbc\xaf'\x1c", "application/x-7z-compressed"),
    (0, b"\x1f\x8b", "application/gzip"),
    (4, b"1AY&SY", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (257, b"ustar", "application/x-tar"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_IFF: Final = {b"AIFF": "audio/aiff", b"AIFC": "audio/aiff"}
_HEIF_BRANDS: Final = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1")
)
_AVIF_BRANDS: Final = frozenset((b"avif", b"avis"))
# QuickTime of before there was an "ftyp".
_QUICKTIME_ATOMS: Final = frozenset((b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"))
_BMP_HEADER_SIZES: Final = frozenset((12, 16, 40, 52, 56, 64, 108, 124))
_TRANSPORT_STREAM_PACKET: Final = 188

_PROGRAMS: Final = (
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",  # Mach-O for several machines, and Java classes
    b"\xca\xfe\xba\xbf",
    b"\x00asm",
    b"dex\n",
    b"L\x00\x00\x00\x01\x14\x02\x00",  # a Windows shortcut, which runs what it likes
)
_SCRIPTS: Final = (b"#!", b"<?php", b"<%")
_AMR: Final = b"#!AMR"
# What makes a browser take a text for a page: the list of the WHATWG's sniffing standard, SVG, and a few that are like.
_PAGE_START: Final = re.compile(
    rb"<(?:!doctype\s+(?:html|svg)|!--|html|head|body|script|iframe|h[1-6]|div|font|table|a|style|title|b|br|p|svg"
    rb"|meta|link|base|form|frameset|object|embed|img|input|video|audio|template|math)(?:[\s/>]|$)",
    re.IGNORECASE,
)
# In XML of any kind: what is, or turns into, a page that can run scripts.
_LIVE_XML: Final = re.compile(
    rb"<(?:[\w.-]+:)?(?:script|svg|html)[\s/>]|www\.w3\.org/(?:1999/xhtml|2000/svg|1999/xsl)"
    rb"|<\?xml-stylesheet|<!doctype\s+(?:html|svg)|<!entity|javascript:",
    re.IGNORECASE,
)
_SCRIPT_TAG: Final = re.compile(rb"<(?:[\w.-]+:)?script\b", re.IGNORECASE)
# What the WHATWG's sniffing standard calls binary data: no text has it.
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_BYTE_ORDER_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def signature(head: bytes) -> str | None:
    """The content type that the first bytes of a file give away; None for text and for what is not known here."""
    found = next((kind for offset, sign, kind in _SIGNATURES if head.startswith(sign, offset)), None)
    return found or _boxed(head) or _audio_frame(head) or _other(head)


def danger(head: bytes) -> str | None:
    """Why no attachment may begin so, whatever it is declared as; None if there is no reason."""
    if head.startswith(_PROGRAMS):
        return "it is a program"
    # Without byte order mark and NULs, UTF-16 reads as ASCII does.
    text = _without_mark(head).replace(b"\x00", b"").lstrip()
    if text.startswith(_SCRIPTS) and not head.startswith(_AMR):
        return "it is a script"
    if _PAGE_START.match(text) or (text.startswith(b"<") and _LIVE_XML.search(text)):
        return "it is HTML, SVG or XML that can run scripts"
    return None


def is_plain_text(head: bytes) -> bool:
    """Whether it is text, in any encoding, that nobody takes for anything else, without scripts."""
    if signature(head) is not None or danger(head) is not None:
        return False
    if head.startswith(_UTF_16_MARKS):
        head = head.replace(b"\x00", b"")
    return b"\x00" not in head and not _SCRIPT_TAG.search(head)


def reads_as_text(head: bytes) -> bool:
    """Whether it can be shown as text, whatever it begins with: "MZ 4", "#!", "<b>", "ID3 tags"; a PDF is none."""
    if head.startswith(_UTF_16_MARKS):
        head = head.replace(b"\x00", b"")
    return not head.startswith(b"%PDF-") and _BINARY.search(head) is None


def is_audio_only(head: bytes) -> bool:
    """Whether a format that holds sound as well as pictures says that it holds sound alone."""
    return head[4:12] in (b"ftypM4A ", b"ftypM4B ") or (head.startswith(b"OggS") and b"theora" not in head)


def is_spreadsheet(head: bytes) -> bool:
    """Whether a zip begins as office programs write spreadsheets."""
    return b"xl/" in head or b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet" in head


def _boxed(head: bytes) -> str | None:
    """Formats that say what they are after a length: ISO media, QuickTime, RIFF, IFF."""
    box, brand = head[4:8], head[8:12]
    if box == b"ftyp":
        if brand in _HEIF_BRANDS:
            return "image/avif" if any(other in head[16:64] for other in _AVIF_BRANDS) else "image/heic"
        if brand in _AVIF_BRANDS:
            return "image/avif"
        return "video/quicktime" if brand == b"qt  " else "video/mp4"
    if box in _QUICKTIME_ATOMS and head[0] <= 1:
        return "video/quicktime"
    if head[:4] in (b"RIFF", b"RF64"):
        return _RIFF.get(brand)
    return _IFF.get(brand) if head[:4] == b"FORM" else None


def _audio_frame(head: bytes) -> str | None:
    """MP3 and AAC, which are rows of frames with little to know them by."""
    if head.startswith(b"ID3") and head[3:4] < b"\x10":
        return "audio/mpeg"
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    version, layer, bitrate, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    # Layer I is left out: it is not in use, and the byte order mark of UTF-16 looks like it.
    return "audio/mpeg" if version != 1 and layer in (1, 2) and bitrate != 15 and rate != 3 else None


def _other(head: bytes) -> str | None:
    if b"%PDF-" in head[:PDF_WITHIN]:
        return "application/pdf"
    if head.startswith(b"BM") and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "image/bmp"
    packets = head[: 3 * _TRANSPORT_STREAM_PACKET : _TRANSPORT_STREAM_PACKET]
    return "video/mp2t" if packets == b"GGG" else None


def _without_mark(head: bytes) -> bytes:
    return next((head[len(mark) :] for mark in _BYTE_ORDER_MARKS if head.startswith(mark)), head)
