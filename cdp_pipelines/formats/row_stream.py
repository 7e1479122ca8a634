"""Rows of an export as a stream of bytes, in CSV, JSON or NDJSON, plain or gzip, never more than a batch in memory.

    with store.open_upload(...) as upload:
        with open_rows(upload, "CSV", fields, gzip=False) as rows:
            for batch in batches:
                rows.write_columns(values.columns(batch))
        stored = upload.complete()

Not here: how values are made (`domain`), the encodings themselves (`csv_block`, `json_rows`), sheets, which need a file
on disk (`xlsx_file`).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

from cdp_pipelines.domain.formula_guard import guard_csv
from cdp_pipelines.formats.byte_sink import ByteSink, GzipSink
from cdp_pipelines.formats.csv_block import BYTE_ORDER_MARK, csv_block
from cdp_pipelines.formats.json_rows import json_rows

RowFormat: TypeAlias = Literal["CSV", "JSON", "NDJSON"]


class RowStream(ABC):
    """Rows on their way into a sink. `row_count` counts those that went; the sink is its owner's to end or give up."""

    def __init__(self, sink: ByteSink, fields: Sequence[str], *, gzip: bool) -> None:
        if not fields:
            raise ValueError("a file of rows needs at least one field")
        self.row_count = 0
        self._fields = tuple(fields)
        self._gzip = GzipSink(sink) if gzip else None
        self._sink: ByteSink = self._gzip or sink
        self._open = True

    def write_columns(self, columns: Sequence[Sequence[Any]]) -> None:
        """Append a batch given column by column: texts that are guarded already for CSV, plain values for JSON.

        Raises:
            ValueError: the stream is closed, or the columns are not as many as the fields, or not of one length;
                nothing of the batch is written then.
            Exception: what the sink raises. The stream is closed by it, without an end.
        """
        if not self._open:
            raise ValueError("the stream of rows is closed")
        if len(columns) != len(self._fields):
            raise ValueError(f"the rows have {len(self._fields)} fields, not {len(columns)}")
        block = self._block(columns)
        if block:
            self._send(block)
            self.row_count += len(columns[0])

    def close(self) -> None:
        """Write the end of the file into the sink. Does nothing to a stream that is closed, by a failure too.

        Raises:
            Exception: what the sink raises.
        """
        if not self._open:
            return
        self._open = False
        if end := self._end():
            self._sink.write(end)
        if self._gzip is not None:
            self._gzip.finish()

    def _send(self, data: bytes) -> None:
        try:
            self._sink.write(data)
        except BaseException:
            self._open = False
            raise

    @abstractmethod
    def _block(self, columns: Sequence[Sequence[Any]]) -> bytes: ...

    def _end(self) -> bytes:
        return b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an exception no end is written: half a file must not look like a whole one.
        if kind is None:
            self.close()
        self._open = False


class _CsvStream(RowStream):
    def __init__(self, sink: ByteSink, fields: Sequence[str], *, gzip: bool) -> None:
        super().__init__(sink, fields, gzip=gzip)
        self._send(BYTE_ORDER_MARK + csv_block([[guard_csv(field)] for field in fields]))

    def _block(self, columns: Sequence[Sequence[Any]]) -> bytes:
        return csv_block(columns)


class _JsonStream(RowStream):
    """An array with one object a line; `[]` without any."""

    def _block(self, columns: Sequence[Sequence[Any]]) -> bytes:
        rows = json_rows(self._fields, columns)
        if not rows:
            return b""
        return (b",\n" if self.row_count else b"[\n") + b",\n".join(rows)

    def _end(self) -> bytes:
        return b"\n]" if self.row_count else b"[]"


class _NdjsonStream(RowStream):
    def _block(self, columns: Sequence[Sequence[Any]]) -> bytes:
        return b"\n".join([*json_rows(self._fields, columns), b""])


_STREAMS: Final[dict[str, type[RowStream]]] = {"CSV": _CsvStream, "JSON": _JsonStream, "NDJSON": _NdjsonStream}


def open_rows(sink: ByteSink, file_format: RowFormat, fields: Sequence[str], *, gzip: bool) -> RowStream:
    """Begin a file of rows with these fields in this order; a CSV file's header goes into the sink at once.

    An empty result is a header (CSV), `[]` (JSON) or no bytes at all (NDJSON); with `gzip` the same, compressed.

    Raises:
        ValueError: the format is none of the three, or there are no fields.
        Exception: what the sink raises.
    """
    stream = _STREAMS.get(file_format)
    if stream is None:
        raise ValueError(f"file_format must be one of {', '.join(_STREAMS)}, not {file_format!r}")
    return stream(sink, fields, gzip=gzip)
