"""Files of an export on their way into the object store: streamed parts, or a sheet made on disk first.

Both take batches of columns and give the finished files. Leaving the block by an exception leaves no file and no
unfinished upload, as far as the store can be reached. The key of every file is put into `keys` and told to `note_keys`
before anything is sent, so that neither a killed run nor an outage leaves anything that nobody knows of.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from cdp_pipelines.domain.entity_export.delivery import content_type, extension, file_name, part_key
from cdp_pipelines.domain.entity_export.request import EntityExportRequest
from cdp_pipelines.domain.entity_export.values import sheet_columns
from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.formats.row_stream import RowFormat, RowStream, open_rows
from cdp_pipelines.resources.object_store import ObjectStore, StoredObject

if TYPE_CHECKING:
    from cdp_pipelines.formats.xlsx_file import XlsxFile
    from cdp_pipelines.resources.object_store_upload import StreamingUpload

logger = logging.getLogger(__name__)

NoteKeys = Callable[[list[str]], None]

ROWS_A_BOOK: Final = 4_000_000
"""Nearly four full sheets: at twelve columns the library needs some 200 MB to finish them."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A finished file in the object store; size in bytes, SHA-256 in hex."""

    key: str
    record_count: int
    size_bytes: int
    sha256: str


class Output(ABC):
    """Where rows go; `warnings` say what the user should know of the content."""

    def __init__(
        self, store: ObjectStore, request: EntityExportRequest, stem: str, note_keys: NoteKeys, keys: list[str]
    ) -> None:
        self._store = store
        self._request = request
        self._stem = stem
        self._note_keys = note_keys
        self._ending = extension(request.file_format, gzip=request.gzip)
        self._content_type = content_type(request.file_format, gzip=request.gzip)
        self._keys = keys

    @abstractmethod
    def write(self, columns: Sequence[Sequence[Any]]) -> None:
        """Append a batch of rows, column by column."""

    @abstractmethod
    def finish(self) -> tuple[list[WrittenFile], tuple[str, ...]]:
        """The finished files, and warnings about their content."""

    @abstractmethod
    def _give_up(self) -> None: ...

    def announce(self, key: str) -> str:
        """Make a key known as one of this export's, before anything is sent to it."""
        self._keys.append(key)
        self._note_keys(list(self._keys))
        return key

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            return
        self._give_up()
        try:
            for key in self._keys:
                self._store.delete(key)
        except CdpError as exc:
            # They are known, so whoever comes next removes them; trying each would take minutes of an outage.
            logger.warning("[%s] a file could not be removed (%s)", self._request.export_id, exc.code)


class StreamedOutput(Output):
    """CSV, JSON and NDJSON: straight into an upload; at `part_bytes` the file ends and a further one begins."""

    def __init__(
        self,
        store: ObjectStore,
        request: EntityExportRequest,
        stem: str,
        note_keys: NoteKeys,
        keys: list[str],
        *,
        part_bytes: int,
    ) -> None:
        super().__init__(store, request, stem, note_keys, keys)
        self._part_bytes = part_bytes
        self._files: list[WrittenFile] = []
        self._open_part: tuple[StreamingUpload, RowStream] | None = None
        self._begin(part_key(stem, 1, self._ending))

    def write(self, columns: Sequence[Sequence[Any]]) -> None:
        """Append a batch of rows; a file that is large enough is ended before it."""
        upload, rows = self._part()
        if upload.size_bytes >= self._part_bytes and rows.row_count:
            self._end_part()
            self._begin(part_key(self._stem, len(self._files) + 1, self._ending))
            upload, rows = self._part()
        rows.write_columns(columns)

    def finish(self) -> tuple[list[WrittenFile], tuple[str, ...]]:
        """The finished files."""
        self._end_part()
        return self._files, ()

    def _begin(self, key: str) -> None:
        upload = self._store.open_upload(
            key=self.announce(key),
            content_type=self._content_type,
            download_name=file_name(key),
            request_id=self._request.export_id,
        )
        fields = [each.name for each in self._request.fields]
        try:
            rows = open_rows(upload, cast(RowFormat, self._request.file_format), fields, gzip=self._request.gzip)
        except BaseException:
            upload.abort()
            raise
        self._open_part = (upload, rows)

    def _part(self) -> "tuple[StreamingUpload, RowStream]":
        if self._open_part is None:
            raise ValueError("the output is finished")
        return self._open_part

    def _end_part(self) -> None:
        upload, rows = self._part()
        rows.close()
        stored = upload.complete()
        self._files.append(WrittenFile(stored.key, rows.row_count, stored.size_bytes, stored.sha256))
        self._open_part = None

    def _give_up(self) -> None:
        if self._open_part is not None:
            self._open_part[0].abort()
            self._open_part = None


class SheetOutput(Output):
    """XLSX: a ZIP file can only be made as a whole, so it is made on disk and then sent.

    Rows go on in further sheets; after `rows_a_book` in a further file, since the library holds a finished file's
    compressed sheets in memory.
    """

    def __init__(
        self,
        store: ObjectStore,
        request: EntityExportRequest,
        stem: str,
        note_keys: NoteKeys,
        keys: list[str],
        *,
        directory: Path,
        rows_a_book: int = ROWS_A_BOOK,
    ) -> None:
        super().__init__(store, request, stem, note_keys, keys)
        self._rows_a_book = rows_a_book
        self._path = directory / "export.xlsx"
        self._files: list[WrittenFile] = []
        self._warnings: list[str] = []
        self._book = self._new_book()

    def write(self, columns: Sequence[Sequence[Any]]) -> None:
        """Append a batch of rows; further sheets come by themselves."""
        if self._book.row_count >= self._rows_a_book:
            self._send_book()
            self._book = self._new_book()
        self._book.write_columns(columns)

    def finish(self) -> tuple[list[WrittenFile], tuple[str, ...]]:
        """Send the last file."""
        self._send_book()
        return self._files, tuple(self._warnings)

    def _new_book(self) -> "XlsxFile":
        from cdp_pipelines.formats.xlsx_file import XlsxFile

        name = self._request.entity.plural.replace("_", " ").capitalize()
        columns = sheet_columns(self._request.fields, self._request.file_format)
        return XlsxFile(self._path, columns, sheet_name=name, further_sheets=True)

    def _send_book(self) -> None:
        self._book.close()
        key = self.announce(part_key(self._stem, len(self._files) + 1, self._ending))
        stored: StoredObject = self._store.upload_file(
            path=self._path,
            key=key,
            content_type=self._content_type,
            download_name=file_name(key),
            request_id=self._request.export_id,
        )
        self._files.append(WrittenFile(key, self._book.row_count, stored.size_bytes, stored.sha256))
        self._warnings += self._book.warnings
        self._path.unlink(missing_ok=True)

    def _give_up(self) -> None:
        self._book.abort()
        self._path.unlink(missing_ok=True)
