"""Streams of rows, read back as their users' programs do."""

import csv
import gzip
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipelines.domain.cells import SheetColumn
from cdp_pipelines.domain.formula_guard import guard_csv
from cdp_pipelines.formats.csv_file import CsvFile
from cdp_pipelines.formats.row_stream import RowFormat, RowStream, open_rows
from cdp_pipelines_tests.unit.corpora import load_corpus

# Where the shared inputs are missing, the cells beside them are still looked at.
CORPUS = [row["value"] for row in load_corpus("formula.json") if isinstance(row, dict)]
FORMATS: list[RowFormat] = ["CSV", "JSON", "NDJSON"]
FIELDS = ["id", "name"]
BATCHES = [[], [0], [1, 0, 2], [1_001], [3, 1_000, 1]]


class Sink(io.BytesIO):
    """Remembers the largest piece it was given."""

    largest = 0

    def write(self, data: Any, /) -> int:
        self.largest = max(self.largest, len(data))
        return super().write(data)


class FullDisk:
    """Takes so many pieces, then fails for ever."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.calls = 0

    def write(self, data: bytes | memoryview, /) -> None:
        self.calls += 1
        if self.calls > self.pieces:
            raise OSError("no space left")


def written(file_format: RowFormat, batches: list[list[list[Any]]], *, compressed: bool = False) -> bytes:
    sink = Sink()
    with open_rows(sink, file_format, FIELDS, gzip=compressed) as rows:
        for columns in batches:
            rows.write_columns(columns)
    assert rows.row_count == sum(len(columns[0]) for columns in batches)
    return gzip.decompress(sink.getvalue()) if compressed else sink.getvalue()


def read_back(file_format: RowFormat, content: bytes) -> list[list[Any]]:
    if file_format == "CSV":
        header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        assert header == FIELDS
        return [list(row) for row in rows]
    objects = json.loads(content) if file_format == "JSON" else [json.loads(line) for line in content.splitlines()]
    assert all(list(found) == FIELDS for found in objects)
    return [list(found.values()) for found in objects]


@pytest.mark.parametrize(
    ("file_format", "empty", "two_batches"),
    [
        ("CSV", b"\xef\xbb\xbfid,name\r\n", "\ufeffid,name\r\n1,é\r\n2,\r\n3,c\r\n".encode()),
        ("JSON", b"[]", '[\n{"id":"1","name":"é"},\n{"id":"2","name":""},\n{"id":"3","name":"c"}\n]'.encode()),
        ("NDJSON", b"", '{"id":"1","name":"é"}\n{"id":"2","name":""}\n{"id":"3","name":"c"}\n'.encode()),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_bytes_of_small_files(file_format: RowFormat, empty: bytes, two_batches: bytes, compressed: bool) -> None:
    batches = [[["1", "2"], ["é", ""]], [["3"], ["c"]]]
    assert written(file_format, [], compressed=compressed) == empty
    assert written(file_format, [[[], []]], compressed=compressed) == empty
    assert written(file_format, batches, compressed=compressed) == two_batches


@pytest.mark.parametrize("sizes", BATCHES, ids=str)
@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("compressed", [False, True])
def test_every_row_comes_back_in_order(file_format: RowFormat, sizes: list[int], compressed: bool) -> None:
    batches = [
        [[f"{batch}-{row}" for row in range(size)], [f"a,{row}" for row in range(size)]]
        for batch, size in enumerate(sizes)
    ]
    expected = [list(row) for columns in batches for row in zip(*columns, strict=True)]
    assert read_back(file_format, written(file_format, batches, compressed=compressed)) == expected


def test_pandas_reads_each(tmp_path: Path) -> None:
    numbers, names = list(range(1_000)), [f"name {number}" for number in range(1_000)]
    texts = [str(number) for number in numbers]
    expected = pd.DataFrame({"id": numbers, "name": names})
    readers: dict[RowFormat, Any] = {
        "CSV": lambda path: pd.read_csv(path, compression="gzip"),
        "JSON": lambda path: pd.read_json(path, compression="gzip"),
        "NDJSON": lambda path: pd.read_json(path, compression="gzip", lines=True),
    }
    for file_format, read in readers.items():
        path = tmp_path / file_format
        with path.open("wb") as file, open_rows(file, file_format, FIELDS, gzip=True) as rows:
            rows.write_columns([texts if file_format == "CSV" else numbers, names])
        pd.testing.assert_frame_equal(read(path), expected)


def test_csv_is_what_a_csv_file_is(tmp_path: Path) -> None:
    cells = [str(value) for value in CORPUS] + ["a,b", 'q"', " x", "y ", "\ud800", "", ";\t\r\n"]
    columns = [cells, cells[::-1]]
    with CsvFile(tmp_path / "a.csv", [SheetColumn(field) for field in FIELDS]) as table:
        table.write_columns(columns)
    assert written("CSV", [columns]) == (tmp_path / "a.csv").read_bytes()


@pytest.mark.parametrize("file_format", FORMATS)
def test_hostile_cells_come_back_and_csv_headers_are_guarded(file_format: RowFormat) -> None:
    values = [str(value) for value in CORPUS] + ["=1+1", "a;=1", "+6281234567", "-5", "\tx", ""]
    cells = [guard_csv(value) for value in values] if file_format == "CSV" else values
    fields = ["metadata.=1+1", "=1+1"]
    sink = Sink()
    with open_rows(sink, file_format, fields, gzip=False) as rows:
        rows.write_columns([cells, cells])
    text = sink.getvalue().decode("utf-8-sig")
    if file_format == "CSV":
        header, *found = csv.reader(io.StringIO(text, newline=""))
        assert header == ["metadata.=1+1", "'=1+1"]
    else:
        objects = json.loads(text) if file_format == "JSON" else list(map(json.loads, text.split("\n")[:-1]))
        assert {tuple(each) for each in objects} == {tuple(fields)}
        found = [list(each.values()) for each in objects]
    assert found == [[cell, cell] for cell in cells]


@given(cells=st.lists(st.text(max_size=6), max_size=8))
def test_ndjson_has_one_line_an_object(cells: list[str]) -> None:
    content = written("NDJSON", [[cells, cells]])
    assert content.count(b"\n") == len(cells)
    assert read_back("NDJSON", content) == [[cell, cell] for cell in cells]


def test_a_csv_of_one_empty_column_has_its_rows() -> None:
    sink = Sink()
    with open_rows(sink, "CSV", ["a"], gzip=False) as rows:
        rows.write_columns([["", "x"]])
    assert sink.getvalue() == b'\xef\xbb\xbfa\r\n""\r\nx\r\n'


def test_gzip_is_valid_and_always_the_same(tmp_path: Path) -> None:
    paths = [tmp_path / "a.gz", tmp_path / "b.gz"]
    for path in paths:
        with path.open("wb") as file, open_rows(file, "CSV", FIELDS, gzip=True) as rows:
            for batch in range(200):
                rows.write_columns([[f"{batch} {row * 7919 % 10007}" for row in range(100)]] * 2)
    subprocess.run(["gzip", "-t", *map(str, paths)], check=True)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_bytes()[3:8] == b"\0\0\0\0\0"  # no name, no time


@pytest.mark.parametrize("compressed", [False, True])
def test_nothing_is_kept_back_longer_than_a_batch(compressed: bool) -> None:
    sink = Sink()
    with open_rows(sink, "JSON", FIELDS, gzip=compressed) as rows:
        for batch in range(300):
            rows.write_columns([[f"{batch} {row * 7919 % 10007}" for row in range(100)]] * 2)
            plain = 100 * 40 * (batch + 1)
            assert compressed or sink.tell() > plain / 2
    assert sink.largest < 100_000


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("columns", [[], [["1"]], [["1"], ["2"], ["3"]], [["1"], []], [["1"], ["2", "3"]]], ids=str)
def test_columns_that_do_not_fit_write_nothing(file_format: RowFormat, columns: list[list[str]]) -> None:
    sink = Sink()
    with open_rows(sink, file_format, FIELDS, gzip=False) as rows:
        before = sink.getvalue()
        with pytest.raises(ValueError, match=r"fields|argument"):
            rows.write_columns(columns)
        assert (sink.getvalue(), rows.row_count) == (before, 0)
        rows.write_columns([["1"], ["2"]])
    assert read_back(file_format, sink.getvalue()) == [["1", "2"]]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_sink_that_fails_closes_the_stream(file_format: RowFormat, compressed: bool) -> None:
    sink = FullDisk(3)
    streams: list[RowStream] = []

    def write_all() -> None:
        with open_rows(sink, file_format, FIELDS, gzip=compressed) as rows:
            streams.append(rows)
            for batch in range(1_000):
                rows.write_columns([[f"{batch} {row * 7919 % 10007}" for row in range(500)]] * 2)

    with pytest.raises(OSError, match="no space"):
        write_all()
    [rows] = streams
    rows.close()
    with pytest.raises(ValueError, match="closed"):
        rows.write_columns([["1"], ["2"]])
    assert sink.calls == 4


@pytest.mark.parametrize("file_format", FORMATS)
def test_after_a_failure_nothing_more_goes_into_the_sink(file_format: RowFormat) -> None:
    sink = FullDisk(1)
    rows = open_rows(sink, file_format, FIELDS, gzip=False)

    def write_twice() -> None:
        for _ in range(2):
            rows.write_columns([["1"], ["2"]])

    with pytest.raises(OSError, match="no space"):
        write_twice()
    rows.close()
    with pytest.raises(ValueError, match=r"^the stream of rows is closed$"):
        rows.write_columns([["1"], ["2"]])
    assert sink.calls == 2


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_sink_that_fails_at_the_end_says_so(file_format: RowFormat) -> None:
    rows = open_rows(FullDisk(1), file_format, FIELDS, gzip=True)
    with pytest.raises(OSError, match="no space"), rows:
        rows.write_columns([[str(row * 7919 % 10007) for row in range(20_000)]] * 2)
    rows.close()


def test_an_exception_leaves_no_end() -> None:
    sink = Sink()
    rows = open_rows(sink, "JSON", FIELDS, gzip=False)
    rows.write_columns([["1"], ["2"]])
    with pytest.raises(ValueError, match="fields"), rows:
        rows.write_columns([["1"]])
    rows.close()
    assert not sink.getvalue().endswith(b"]")


def test_what_is_closed_stays_closed() -> None:
    sink = Sink()
    rows = open_rows(sink, "JSON", FIELDS, gzip=True)
    rows.close()
    rows.close()
    assert gzip.decompress(sink.getvalue()) == b"[]"
    with pytest.raises(ValueError, match="closed"):
        rows.write_columns([["1"], ["2"]])


def test_formats_are_known_by_name() -> None:
    with pytest.raises(ValueError, match="CSV, JSON, NDJSON"):
        open_rows(Sink(), "XLSX", FIELDS, gzip=False)  # type: ignore[arg-type]
    for file_format in FORMATS:
        with pytest.raises(ValueError, match="at least one field"):
            open_rows(Sink(), file_format, [], gzip=False)
