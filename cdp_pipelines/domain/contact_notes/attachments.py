"""Rules about the attachments of CRM notes (SPEC 6): their type, their names, and whether a file is what it should be.

Names come from what the CRM declares and from nothing else, so that a comparison made later gets the same without the
file. So does the type, unless nothing is declared: then the file's first bytes say it. Not here: what bytes give away
(`magic_bytes.py`), fetching a file (`resources/safe_http.py`).
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from cdp_pipelines.domain.contact_notes.declared_types import (
    Kind,
    asset_extension,
    is_declared_plain,
    is_vague,
    kind_of_content_type,
    kind_of_extension,
    office_content_type,
    plain_content_type,
)
from cdp_pipelines.domain.contact_notes.magic_bytes import (
    danger,
    is_audio_only,
    is_plain_text,
    is_spreadsheet,
    reads_as_text,
    signature,
)
from cdp_pipelines.domain.object_keys import company_segment, key_segment

ATTACHMENT_DOWNLOAD_FAILED: Final = "ATTACHMENT_DOWNLOAD_FAILED"
ATTACHMENT_ADDRESS_INVALID: Final = "ATTACHMENT_ADDRESS_INVALID"
ATTACHMENT_SSRF_BLOCKED: Final = "ATTACHMENT_SSRF_BLOCKED"
ATTACHMENT_EMPTY: Final = "ATTACHMENT_EMPTY"
ATTACHMENT_TYPE_MISMATCH: Final = "ATTACHMENT_TYPE_MISMATCH"
ATTACHMENT_TOO_LARGE: Final = "ATTACHMENT_TOO_LARGE"
LARGEST_ATTACHMENT_BYTES: Final = 25 * 1024 * 1024
LONGEST_FILE_NAME: Final = 255
UNKNOWN_CONTENT_TYPE: Final = "application/octet-stream"

AttachmentSource: TypeAlias = Literal["image", "audio", "document"]
AttachmentType: TypeAlias = Literal["image", "doc", "pdf", "video", "voice_note", "xlsx"]
ATTACHMENT_TYPES: Final[tuple[AttachmentType, ...]] = get_args(AttachmentType)

_KIND_OF_TYPE: Final[dict[AttachmentType, Kind]] = {"image": "image", "voice_note": "audio", "video": "video"}
_TYPE_OF_KIND: Final[dict[Kind, AttachmentType]] = {
    "image": "image",
    "audio": "voice_note",
    "video": "video",
    "pdf": "pdf",
    "sheet": "xlsx",
    "office": "doc",
    "archive": "doc",
    "text": "doc",
    "drawing": "doc",
}
_EXTENSION: Final = re.compile(r"[a-z0-9]{1,8}")
_KEY_IN_FOLDER: Final = re.compile(r"[0-9]+/(?:image|audio|document)-[0-9]+(?:\.[a-z0-9]{1,8})?")

# Formats that hold sound as well as pictures, or of which the first bytes do not say.
_SOUND_TOO: Final = frozenset(
    {"application/ogg", "video/mp4", "video/quicktime", "video/x-matroska", "video/x-ms-asf", "video/mpeg"}
)
_OFFICE_CONTAINERS: Final = frozenset({"application/zip", "application/x-ole-storage", "application/rtf"})
_ARCHIVES: Final = frozenset(
    {
        "application/zip",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/gzip",
        "application/x-bzip2",
        "application/x-xz",
        "application/x-tar",
    }
)
_NOT: Final[dict[Kind, str]] = {
    "image": "it is not an image",
    "audio": "it is not a sound file",
    "video": "it is not a video",
    "pdf": "it is not a PDF",
    "office": "it is not an office document",
    "sheet": "it is not a spreadsheet",
    "archive": "it is not an archive",
    "text": "it is not plain text",
    "drawing": "it is not a drawing",
}
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})

# What cannot be made to run, besides sounds and videos; all else is for saving only.
_HARMLESS: Final = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/bmp",
        "image/tiff",
        "image/heic",
        "image/avif",
        "application/pdf",
        "application/rtf",
        *_ARCHIVES,
    }
)
# Formats that hold sound and pictures go by what the attachment is shown as.
_SHOWN_AS: Final[dict[AttachmentType, dict[str, str]]] = {
    "voice_note": {
        "application/ogg": "audio/ogg",
        "video/mp4": "audio/mp4",
        "video/quicktime": "audio/mp4",
        "video/x-matroska": "audio/webm",
        "video/x-ms-asf": "audio/x-ms-wma",
    },
    "video": {
        "application/ogg": "video/ogg",
        "video/x-matroska": "video/webm",
        "video/x-ms-asf": "video/x-ms-wmv",
    },
}


@dataclass(frozen=True, slots=True)
class CrmAttachment:
    """A row of `crm_note_images`, `crm_note_audios` or `crm_note_attachments`; `source` says of which."""

    id: int
    source: AttachmentSource
    url: str
    file_name: str | None
    content_type: str | None
    file_size: int | None


def attachment_type(attachment: CrmAttachment, head: bytes = b"") -> AttachmentType:
    """The type that the CDP shows it as; by how the file begins where nothing is declared, and else a document."""
    return declared_type(attachment) or _type_by_bytes(attachment, head) or "doc"


def declared_type(attachment: CrmAttachment) -> AttachmentType | None:
    """The type that the CRM's table, content type and file name give it, in that order; None if they say nothing."""
    by_type, kind = _kind_by_type(attachment), _declared_kind(attachment)
    if by_type == "video" or kind == "drawing":
        return _TYPE_OF_KIND[kind or "video"]
    if attachment.source == "image" or by_type == "image":
        return "image"
    if attachment.source == "audio" or by_type == "audio":
        return "voice_note"
    return None if kind is None else _TYPE_OF_KIND[kind]


def asset_name(attachment: CrmAttachment) -> str:
    """What it is called in storage, such as `image-12.png`; ids are only unique within their table."""
    extension = asset_extension(_extension(attachment), plain_content_type(attachment.content_type))
    return f"{attachment.source}-{attachment.id}" + (f".{extension}" if extension else "")


def attachment_key(company_sso_id: str, legacy_crm_note_id: str, attachment: CrmAttachment) -> str:
    """Its key in the object store, the same on every run.

    Raises:
        ValueError: the company or the note has an empty id.
    """
    return f"{company_folder(company_sso_id)}{key_segment(legacy_crm_note_id)}/{asset_name(attachment)}"


def company_folder(company_sso_id: str) -> str:
    """What the keys of all of a company's attachments begin with, and those of no other company's.

    Raises:
        ValueError: the id is empty.
    """
    return f"{company_segment(company_sso_id)}/"


def note_folder(company_sso_id: str, legacy_crm_note_id: str) -> str:
    """What the keys of all files of one note begin with, and those of no other note's.

    Raises:
        ValueError: one of the ids is empty.
    """
    return f"{company_folder(company_sso_id)}{key_segment(legacy_crm_note_id)}/"


def is_attachment_key(company_sso_id: str, key: str) -> bool:
    """Whether a key has the form of `attachment_key` for a note of the CRM, whose ids are numbers."""
    folder = company_folder(company_sso_id)
    return key.startswith(folder) and _KEY_IN_FOLDER.fullmatch(key[len(folder) :]) is not None


def file_name_of(attachment: CrmAttachment) -> str:
    """The name that a reader sees: the CRM's without folders and without what could mislead or break a line."""
    name = _safe_name(attachment.file_name or "")
    if not name:
        return asset_name(attachment)
    if len(name) <= LONGEST_FILE_NAME:
        return name
    extension = _extension(attachment)
    ending = f".{extension}" if extension else ""
    return name[: LONGEST_FILE_NAME - len(ending)].rstrip() + ending


def mismatch(head: bytes, attachment: CrmAttachment, answered_content_type: str) -> str | None:
    """Why a file that begins so is not what was declared; None if it is.

    An image must be an image, and need not be the kind of image it is called: readers look for themselves. The same
    holds among sounds, videos, office documents and archives. What the server answered counts where nothing else does.
    """
    if not head:
        return "it is empty"
    answered = plain_content_type(answered_content_type)
    reason = danger(head)
    # As plain text it runs nowhere, so it may begin as it likes; but a page that the server calls one is not the file.
    if _is_declared_plain(attachment) and reads_as_text(head) and not (reason and answered in _PAGES):
        return None
    if reason is not None:
        return reason
    kind = (
        _KIND_OF_TYPE.get(attachment_type(attachment))
        or _declared_kind(attachment)
        or (None if is_vague(answered) else kind_of_content_type(answered))
    )
    return None if kind is None or _fits(head, kind, attachment) else _NOT[kind]


def stored_content_type(attachment: CrmAttachment, head: bytes) -> str:
    """What it is stored and served as: by its bytes and a list of harmless types, never as a page or script."""
    if _is_declared_plain(attachment) and reads_as_text(head):
        # One that could be taken for something else gets the one type that no browser looks behind.
        return _stored_as_text(attachment) if is_plain_text(head) else "text/plain"
    if danger(head) is not None:
        return UNKNOWN_CONTENT_TYPE
    found = signature(head)
    if found is None:
        return (
            _stored_as_text(attachment) if _declares_text(attachment) and is_plain_text(head) else UNKNOWN_CONTENT_TYPE
        )
    found = _SHOWN_AS.get(attachment_type(attachment, head), {}).get(found, found)
    office = office_content_type(found, _extension(attachment), plain_content_type(attachment.content_type))
    harmless = found in _HARMLESS or found.startswith(("audio/", "video/"))
    return office or (found if harmless else UNKNOWN_CONTENT_TYPE)


def _kind_by_type(attachment: CrmAttachment) -> Kind | None:
    content_type = plain_content_type(attachment.content_type)
    return None if is_vague(content_type) else kind_of_content_type(content_type)


def _declared_kind(attachment: CrmAttachment) -> Kind | None:
    """By the content type; one that says nothing gives way to the name."""
    return _kind_by_type(attachment) or kind_of_extension(_extension(attachment))


def _type_by_bytes(attachment: CrmAttachment, head: bytes) -> AttachmentType | None:
    found = signature(head) or ""
    if plain_content_type(attachment.content_type) == "text/plain" and reads_as_text(head):
        return None
    if found.startswith("audio/") or is_audio_only(head):
        return "voice_note"
    if found.startswith("video/") or found == "application/ogg":
        return "video"
    if found.startswith("image/"):
        return "image"
    if found == "application/pdf":
        return "pdf"
    return "xlsx" if found == "application/zip" and is_spreadsheet(head) else None


def _is_declared_plain(attachment: CrmAttachment) -> bool:
    """Whether it is promised to be plain text; the name counts beside a type of the office, but of no other kind."""
    if attachment.source != "document" or _declared_kind(attachment) not in (None, "text", "office", "sheet"):
        return False
    return is_declared_plain(_extension(attachment), plain_content_type(attachment.content_type))


def _declares_text(attachment: CrmAttachment) -> bool:
    # Windows calls a CSV file what it opens it with.
    return "text" in (_declared_kind(attachment), kind_of_extension(_extension(attachment)))


def _fits(head: bytes, kind: Kind, attachment: CrmAttachment) -> bool:
    found = signature(head) or ""
    if kind == "drawing":
        return True
    if kind == "image":
        return found.startswith("image/")
    if kind == "audio":
        return found.startswith("audio/") or found in _SOUND_TOO
    if kind == "video":
        return found.startswith("video/") or found == "application/ogg"
    if kind == "pdf":
        return found == "application/pdf"
    if kind == "archive":
        return found in _ARCHIVES
    if kind == "text":
        return is_plain_text(head) and not _is_declared_plain(attachment)
    return found in _OFFICE_CONTAINERS or (_declares_text(attachment) and is_plain_text(head))


def _stored_as_text(attachment: CrmAttachment) -> str:
    extension = _extension(attachment)
    content_type = plain_content_type(attachment.content_type)
    if extension == "csv" or content_type == "text/csv":
        return "text/csv"
    return "application/json" if extension == "json" or content_type == "application/json" else "text/plain"


def _extension(attachment: CrmAttachment) -> str:
    _, dot, extension = _safe_name(attachment.file_name or "").rpartition(".")
    extension = extension.lower()
    return extension if dot and _EXTENSION.fullmatch(extension) else ""


def _safe_name(text: str) -> str:
    last = re.split(r"[/\\]", text)[-1]
    return "".join(character for character in last if _is_shown(character)).strip(" .\u00a0\u3000")


def _is_shown(character: str) -> bool:
    # Joiners are part of how some scripts and emojis are written; all other format characters only mislead.
    category = unicodedata.category(character)
    return category not in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in "\u200c\u200d"
