"""Rows of the demo CRM's files on notes: images, recordings and documents, and some that are not what they seem.

Belongs here: which file hangs on which note, and its address. Not here: the files themselves (`demo_files.py`) and
what the server answers (`crm_files.py`).
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from cdp_pipelines.local import crm_files
from cdp_pipelines.local.crm_notes_schema import FILE_TABLES
from cdp_pipelines.local.demo_crm_note_shapes import Trouble
from cdp_pipelines.local.demo_crm_notes import MOST_FILES_ON_A_NOTE, NotesLayout, NotesPlan
from cdp_pipelines.local.demo_crm_people import Row
from cdp_pipelines.local.demo_files import content_type_of, demo_file

_IMAGES, _AUDIOS, _DOCUMENTS = FILE_TABLES
_USUAL: Final = (
    *(".jpg", ".png", ".pdf", ".jpg", ".png", ".ogg", ".jpg", ".xlsx", ".png", ".jpg", ".docx", ".png"),
    *(".jpg", ".m4a", ".png", ".jpg"),
)
_ONCE: Final = {12: ".mp4", 14: ".csv"}
_TABLES: Final = {".jpg": _IMAGES, ".png": _IMAGES, ".ogg": _AUDIOS, ".m4a": _AUDIOS, ".mp4": _AUDIOS}
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    _IMAGES: ("IMG_{}", "Foto toko {}", "struk ☕ {}", "スクリーンショット {}", "لقطة {}", "WhatsApp Image (1) {}"),
    _AUDIOS: ("voice-{}", "Rekaman {}", "録音{}"),
    _DOCUMENTS: ("Penawaran {} (rev. 2)", "見積書_{}", "Angebot & Preise {}", "PO #{}"),
}
_MISSING_BYTES: Final = 48_211


class _File(NamedTuple):
    table: str
    url: str
    file_name: str
    content_type: str
    size: int

    def row(self, note_id: int, place: int) -> Row:
        """The row of the file that hangs on a note in this place, from 0."""
        number = note_id * MOST_FILES_ON_A_NOTE + place
        return number, note_id, self.url, self.file_name, self.content_type, self.size


def note_file_rows(plan: NotesPlan, layout: NotesLayout, root_url: str) -> dict[str, list[Row]]:
    """The rows of each table of files, `FILE_COLUMNS` wide, those of one note one after another.

    `root_url` is the CRM's file server, without a slash at its end.
    """
    rows: dict[str, list[Row]] = {table: [] for table in FILE_TABLES}
    files = _files(plan, root_url)
    for number, count in sorted(layout.files.items()):
        note_id = plan.note_id(number)
        for place in range(count):
            file = next(files)
            rows[file.table].append(file.row(note_id, place))
    return rows


def spread_file_rows(plan: NotesPlan, files: int, root_url: str) -> Iterator[tuple[str, Row]]:
    """Any number of good files, one a note and evenly spread, each with its table; in constant memory."""
    for place in range(files):
        note_id = plan.note_id(place * plan.notes // files)
        # A few hundred files, many times: making one takes longer than anything else here.
        file = _good(place % 256, plan.organization_id, root_url)
        yield file.table, file.row(note_id, 0)


def _files(plan: NotesPlan, root_url: str) -> Iterator[_File]:
    """Without end: the troubles first, each after a good one."""
    number = 0
    troubles = list(plan.shape.troubles)
    while True:
        yield _good(number, plan.organization_id, root_url)
        number += 1
        if troubles:
            yield _bad(troubles.pop(0), root_url)


def _good(number: int, organization_id: int, root_url: str) -> _File:
    extension = _ONCE.get(number, _USUAL[number % len(_USUAL)])
    table = _TABLES.get(extension, _DOCUMENTS)
    path = f"{crm_files.FILES}{organization_id}/note-{organization_id}-{number}{extension}"
    name = _NAMES[table][number % len(_NAMES[table])].format(number)
    return _file(table, root_url + path, f"{name}{extension}", _size(path))


def _bad(trouble: Trouble, root_url: str) -> _File:
    match trouble:
        case "metadata":
            return _file(_IMAGES, crm_files.METADATA_URL, "foto.jpg", _MISSING_BYTES)
        case "foreign host":
            return _file(_IMAGES, "https://files.attacker.example/x.png", "x.png", _MISSING_BYTES)
        case "missing":
            return _file(_IMAGES, f"{root_url}{crm_files.MISSING}struk.png", "struk.png", _MISSING_BYTES)
        case "html":
            return _file(_IMAGES, f"{root_url}{crm_files.HTML}promo.png", "promo.png", _MISSING_BYTES)
        case "large":
            return _file(_AUDIOS, f"{root_url}{crm_files.LARGE}kunjungan.mp4", "kunjungan.mp4", crm_files.LARGE_BYTES)
        case "moved private":
            return _file(_IMAGES, f"{root_url}{crm_files.MOVED_PRIVATE}kartu.png", "kartu.png", _MISSING_BYTES)
        case "moved here":
            path = f"{crm_files.MOVED_HERE}lama.png"
            return _file(_IMAGES, root_url + path, "lama.png", _size(path))


def _file(table: str, url: str, file_name: str, size: int) -> _File:
    return _File(table, url, file_name, content_type_of(PurePosixPath(file_name).suffix), size)


def _size(path: str) -> int:
    file = demo_file(PurePosixPath(path).name)
    return len(file.content) if file is not None else 0
