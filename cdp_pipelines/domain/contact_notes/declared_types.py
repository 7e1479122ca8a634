"""What the CRM's content types and file extensions mean.

Belongs here: the tables. Not here: what follows for an attachment (`attachments.py`), and what a file really is
(`magic_bytes.py`).
"""

import re
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["image", "audio", "video", "pdf", "office", "sheet", "archive", "text", "drawing"]

# What browsers and upload forms say that know no better; a type that is not known here says as little.
_VAGUE: Final = frozenset({"application/zip", "application/x-zip", "application/x-zip-compressed", "text/plain"})

_KIND_OF_CONTENT_TYPE: Final[dict[str, Kind]] = {
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "application/vnd.ms-excel": "sheet",
    "application/excel": "sheet",
    "application/x-excel": "sheet",
    "application/x-msexcel": "sheet",
    "application/msexcel": "sheet",
    "application/msword": "office",
    "application/rtf": "office",
    "text/rtf": "office",
    "text/richtext": "office",
    "application/vnd.ms-outlook": "office",
    "application/vnd.ms-project": "office",
    "application/vnd.visio": "office",
    "application/zip": "archive",
    "application/x-zip": "archive",
    "application/x-zip-compressed": "archive",
    "application/vnd.rar": "archive",
    "application/x-rar": "archive",
    "application/x-rar-compressed": "archive",
    "application/x-7z-compressed": "archive",
    "application/gzip": "archive",
    "application/x-gzip": "archive",
    "application/x-bzip2": "archive",
    "application/x-tar": "archive",
    "application/json": "text",
    "application/xml": "text",
    "application/csv": "text",
    "application/x-csv": "text",
    "application/x-ndjson": "text",
    "message/rfc822": "text",
    "application/ogg": "audio",
    "application/mp4": "video",
    "audio/mpegurl": "text",
    "audio/x-mpegurl": "text",
    "video/vnd.mpegurl": "text",
    # Called images, and nothing that a reader of notes can show.
    "image/vnd.dwg": "drawing",
    "image/x-dwg": "drawing",
    "image/vnd.dxf": "drawing",
    "image/x-dxf": "drawing",
    "image/x-autocad": "drawing",
    "image/vnd.dgn": "drawing",
    "image/vnd.dwf": "drawing",
    "image/x-dwf": "drawing",
    "image/vnd.djvu": "drawing",
    "image/x-djvu": "drawing",
    "image/x.djvu": "drawing",
    "image/vnd.djvu+multipage": "drawing",
    "image/x-eps": "drawing",
    "image/x-coreldraw": "drawing",
    "image/x-cdr": "drawing",
    "image/wmf": "drawing",
    "image/x-wmf": "drawing",
    "image/emf": "drawing",
    "image/x-emf": "drawing",
    "image/x-xcf": "drawing",
    "image/vnd.visio": "drawing",
    **dict.fromkeys(
        (
            "image/png",
            "image/x-png",
            "image/apng",
            "image/jpeg",
            "image/jpg",
            "image/pjpeg",
            "image/gif",
            "image/webp",
            "image/bmp",
            "image/x-bmp",
            "image/x-ms-bmp",
            "image/x-windows-bmp",
            "image/tiff",
            "image/x-tiff",
            "image/heic",
            "image/heif",
            "image/heic-sequence",
            "image/heif-sequence",
            "image/avif",
            "image/x-icon",
            "image/vnd.microsoft.icon",
            "image/ico",
            "image/jp2",
            "image/svg+xml",
            "image/vnd.adobe.photoshop",
            "image/x-photoshop",
            "image/psd",
            "image/jxl",
        ),
        "image",
    ),
}
# The first that fits, so the narrower stand before the wider.
_KIND_OF_PREFIX: Final[tuple[tuple[str, Kind], ...]] = (
    ("audio/", "audio"),
    ("video/", "video"),
    ("text/", "text"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.", "sheet"),
    ("application/vnd.oasis.opendocument.spreadsheet", "sheet"),
    ("application/vnd.ms-excel.", "sheet"),
    ("application/vnd.openxmlformats-officedocument.", "office"),
    ("application/vnd.oasis.opendocument.", "office"),
    ("application/vnd.ms-powerpoint", "office"),
    ("application/vnd.ms-word", "office"),
    ("application/vnd.ms-visio", "office"),
)
_EXTENSIONS_OF_KIND: Final[dict[Kind, str]] = {
    "image": "png jpg jpeg jpe jfif gif webp bmp tif tiff heic heif avif ico",
    "audio": "mp3 ogg oga opus wav flac m4a aac amr awb weba mka caf aif aiff mid midi wma",
    "video": "mp4 m4v mov qt 3gp 3g2 webm mkv avi mpg mpeg ogv wmv asf flv",
    "pdf": "pdf",
    "sheet": "xlsx xls xlsm xlsb xltx xlt ods ots",
    "office": "docx doc docm dotx dot pptx ppt pptm ppsx pps odt odp odg rtf pages numbers key msg vsd vsdx",
    "archive": "zip rar 7z gz tgz tar bz2 xz",
    "text": "txt text csv tsv json ndjson xml md log ics vcf eml yml yaml",
    "drawing": "dwg dxf dgn dwf djvu eps cdr wmf emf xcf",
}
_KIND_OF_EXTENSION: Final = {
    extension: kind for kind, extensions in _EXTENSIONS_OF_KIND.items() for extension in extensions.split()
}

_OOXML: Final = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT: Final = "application/vnd.oasis.opendocument."
_OFFICE_FILES: Final = {
    "application/zip": {
        "docx": _OOXML + "wordprocessingml.document",
        "xlsx": _OOXML + "spreadsheetml.sheet",
        "pptx": _OOXML + "presentationml.presentation",
        "odt": _OPEN_DOCUMENT + "text",
        "ods": _OPEN_DOCUMENT + "spreadsheet",
        "odp": _OPEN_DOCUMENT + "presentation",
    },
    "application/x-ole-storage": {
        "doc": "application/msword",
        "xls": "application/vnd.ms-excel",
        "ppt": "application/vnd.ms-powerpoint",
    },
}
_EXTENSION_OF: Final = {
    **{content_type: extension for files in _OFFICE_FILES.values() for extension, content_type in files.items()},
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/tiff": "tif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/avif": "avif",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mp4": "m4a",
    "audio/m4a": "m4a",
    "audio/x-m4a": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/flac": "flac",
    "audio/amr": "amr",
    "audio/webm": "weba",
    "audio/3gpp": "3gp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/3gpp": "3gp",
    "video/mpeg": "mpg",
    "video/x-msvideo": "avi",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/zip": "zip",
    "application/json": "json",
    "text/plain": "txt",
    "text/csv": "csv",
}
# Servers that go by the name would serve these as pages or scripts.
_LIVE: Final = frozenset(
    ("html", "htm", "xhtml", "xht", "shtml", "mht", "mhtml", "svg", "svgz",
     "js", "mjs", "xml", "xsl", "xslt", "hta", "swf")
)  # fmt: skip


_PLAIN_TEXT_EXTENSIONS: Final = frozenset(
    ("txt", "text", "csv", "tsv", "json", "ndjson", "md", "log", "ics", "vcf", "eml", "yml", "yaml")
)
_PLAIN_TEXT_TYPES: Final = frozenset(
    ("text/plain", "text/csv", "text/tab-separated-values", "text/markdown", "text/x-markdown", "text/calendar",
     "text/vcard", "text/x-vcard", "text/x-log", "text/yaml", "text/x-yaml", "application/json", "application/csv",
     "application/x-csv", "application/x-ndjson", "message/rfc822")
)  # fmt: skip
_LIVE_TYPES: Final = re.compile(r"(?:html|xml|svg|script)", re.IGNORECASE)


def plain_content_type(text: str | None) -> str:
    """A content type without its parameters, in lower case; "" for none."""
    return (text or "").split(";", 1)[0].strip().lower()


def kind_of_content_type(content_type: str) -> Kind | None:
    """What a plain content type says; None for none, for `application/octet-stream` and for what is not known here.

    One that only says that it is some image is one of those.
    """
    exact = _KIND_OF_CONTENT_TYPE.get(content_type)
    return exact or next((kind for prefix, kind in _KIND_OF_PREFIX if content_type.startswith(prefix)), None)


def is_vague(content_type: str) -> bool:
    """Whether a plain content type says nothing that a name or the bytes could not say better."""
    return content_type in _VAGUE or kind_of_content_type(content_type) is None


def is_declared_plain(extension: str, content_type: str) -> bool:
    """Whether name, or else plain content type, says that it is text that means nothing to a browser."""
    if _LIVE_TYPES.search(content_type):
        return False
    return extension in _PLAIN_TEXT_EXTENSIONS or (
        kind_of_extension(extension) is None and extension not in _LIVE and content_type in _PLAIN_TEXT_TYPES
    )


def kind_of_extension(extension: str) -> Kind | None:
    """What a lower-case extension without its dot says."""
    return _KIND_OF_EXTENSION.get(extension)


def asset_extension(extension: str, content_type: str) -> str:
    """The extension for storage: the file's own, else that of its content type, else none; never that of a page."""
    chosen = extension or _EXTENSION_OF.get(content_type, "")
    return "" if chosen in _LIVE else chosen


def office_content_type(container: str, extension: str, content_type: str) -> str | None:
    """The content type of an office document in such a container, if name or content type says which it is."""
    files = _OFFICE_FILES.get(container, {})
    return files.get(extension) or (content_type if content_type in files.values() else None)
