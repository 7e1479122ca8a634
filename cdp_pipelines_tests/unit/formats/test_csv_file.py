import resource
import signal
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipelines.domain.cells import SheetColumn
from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.formats.csv_file import CsvFile
from cdp_pipelines.formats.table_file import TableFileBase, open_table
from cdp_pipelines_tests.unit.formats.reopening import csv_rows


def columns(*headers: str) -> list[SheetColumn]:
    return [SheetColumn(header) for header in headers]


def written(path: Path, rows: list[list[str]], *headers: str) -> bytes:
    with CsvFile(path, columns(*(headers or tuple("abcdefgh"[: len(rows[0])])))) as table:
        table.write_rows(rows)
    return path.read_bytes()


def test_bytes_of_a_small_file(tmp_path: Path) -> None:
    found = written(tmp_path / "a.csv", [["1", ""], ["é", "x"]], "Name", "Größe")

    assert found == b"\xef\xbb\xbf" + "Name,Größe\r\n1,\r\né,x\r\n".encode()


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("a,b", '"a,b"'),
        ("a;b", '"a;b"'),
        ("a\tb", '"a\tb"'),
        ('a"b', '"a""b"'),
        ("a\nb", '"a\nb"'),
        ("a\r\nb", '"a\r\nb"'),
        (" a", '" a"'),
        ("a ", '"a "'),
        (" ", '" "'),
        ('["a","b"]', '"[""a"",""b""]"'),
        ("IDR 1,000,000", '"IDR 1,000,000"'),
        ("-6.2,106.8", '"-6.2,106.8"'),
        ("12.5%", "12.5%"),
        ("2024-05-01T10:00:00+07:00", "2024-05-01T10:00:00+07:00"),
        ("a b", "a b"),
        ("'=1", "'=1"),
        ("a\x1fb", "a\x1fb"),
    ],
)
@pytest.mark.parametrize("neighbours", [["x", "y"], ["a;b", "x\ty"], ['q"', "a,b\n;\t\r"], [" x", "y "]])
def test_only_what_needs_quotes_is_quoted(tmp_path: Path, cell: str, text: str, neighbours: list[str]) -> None:
    found = written(tmp_path / "a.csv", [[cell, "end"], *([other, "end"] for other in neighbours)])

    assert f"a,b\r\n{text},end\r\n".encode() in found


def test_a_single_empty_cell_is_still_a_row(tmp_path: Path) -> None:
    assert written(tmp_path / "a.csv", [[""], ["x"], [""]], "h").decode("utf-8-sig") == 'h\r\n""\r\nx\r\n""\r\n'


def test_halves_of_characters_become_replacement_characters(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", [["a\ud800b", "\ud83d\ude00"], ["é", "\udfff"]])

    assert csv_rows(tmp_path / "a.csv")[1:] == [["a\ufffdb", "😀"], ["é", "\ufffd"]]


cells = st.text(st.characters(codec="utf-8") | st.sampled_from(' ,;"\t\r\n\x1f'), max_size=8)


@given(rows=st.lists(st.tuples(cells, cells, cells), max_size=20))
def test_a_csv_reader_gives_back_every_cell(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with CsvFile(path, columns("a", "b", "c")) as table:
        table.write_rows(rows)

    assert table.row_count == len(rows)
    assert csv_rows(path)[1:] == [list(row) for row in rows]


def test_rows_and_columns_write_the_same(tmp_path: Path) -> None:
    rows = [[f"{row},{column}" for column in range(3)] for row in range(1_201)]
    by_rows = written(tmp_path / "a.csv", rows)
    with CsvFile(tmp_path / "b.csv", columns(*"abc")) as table:
        table.write_columns(list(zip(*rows, strict=True)))

    assert (tmp_path / "b.csv").read_bytes() == by_rows
    assert (table.row_count, table.cut_cells, table.warnings) == (1_201, 0, ())


def test_rows_of_every_batch_are_counted(tmp_path: Path) -> None:
    with CsvFile(tmp_path / "a.csv", columns("a")) as table:
        table.write_rows([str(number)] for number in range(1_001))
        table.write_columns([["x", "y"]])

    assert table.row_count == 1_003
    assert csv_rows(tmp_path / "a.csv")[1:] == [*([str(number)] for number in range(1_001)), ["x"], ["y"]]


def test_an_exception_removes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = iter([["x"], ["y", "too wide"]])
    with pytest.raises(ValueError, match="argument"), CsvFile(path, columns("a")) as table:
        table.write_rows(rows)

    assert list(tmp_path.iterdir()) == []


def test_what_is_closed_stays_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    table = CsvFile(path, columns("a"))
    table.close()
    table.close()
    table.abort()

    assert csv_rows(path) == [["a"]]
    with pytest.raises(ValueError, match="closed"):
        table.write_rows([["x"]])


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_what_is_given_up_stays_given_up(tmp_path: Path, file_format: str) -> None:
    table = open_table(tmp_path / "a", file_format, columns("a"))
    table.write_rows([["x"]])
    table.abort()
    (tmp_path / "a").write_text("another's by now")
    table.abort()
    table.close()
    with pytest.raises(ValueError, match=r"^the file is closed$"):
        table.write_rows([["y"]])

    assert (table.row_count, (tmp_path / "a").read_text()) == (1, "another's by now")


@pytest.mark.parametrize("rows", [[["a"]], [["a", "b", "c"]], [["a", "b"], ["a"]]])
def test_rows_of_another_width_are_an_error(tmp_path: Path, rows: list[list[str]]) -> None:
    with pytest.raises(ValueError, match=r"columns|argument"), CsvFile(tmp_path / "a.csv", columns("a", "b")) as table:
        table.write_rows(rows)


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files may not grow over 100,000 bytes: what a full disk does to a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
@pytest.mark.parametrize("rows", [12_000, 60_000])
@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_a_plain_failure_without_leftovers(tmp_path: Path, file_format: str, rows: int) -> None:
    table = open_table(tmp_path / "a", file_format, columns("a"))
    with pytest.raises(TransientFailure, match="could not be written") as refused, table:
        table.write_rows([f"{number} {number * 7919 % 10007}" * 3] for number in range(rows))

    assert refused.value.code == "FILE_NOT_WRITTEN"
    assert list(tmp_path.iterdir()) == []


def test_formats_are_known_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="file_format"):
        open_table(tmp_path / "a", "ods", columns("a"))
    for file_format in ("csv", "xlsx"):
        with pytest.raises(ValueError, match="at least one column"):
            open_table(tmp_path / "a", file_format, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "signs", [signs for count in range(1, 7) for signs in combinations(',"\n;\t\r', count)], ids=repr
)
def test_whatever_signs_a_column_has_each_of_them_is_quoted(tmp_path: Path, signs: tuple[str, ...]) -> None:
    rows = [[f"a{sign}b", "end"] for sign in signs]
    lines = written(tmp_path / "a.csv", [["plain", "end"], *rows])

    assert csv_rows(tmp_path / "a.csv")[2:] == rows
    assert b"\r\nplain,end\r\n" in lines
    for sign in signs:
        doubled = sign.replace('"', '""')
        assert f'\r\n"a{doubled}b",end\r\n'.encode() in lines


class NeverThere(TableFileBase[str]):
    """A file that comes to be only at its end, and then does not."""

    def _append(self, columns: Sequence[Sequence[str]]) -> None: ...

    def _discard(self) -> None: ...

    def _finish(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_file_that_never_came_to_be_fails_for_its_own_reason(tmp_path: Path) -> None:
    table = NeverThere(tmp_path / "a", columns("a"))
    with pytest.raises(TransientFailure, match="No space left"):
        table.close()
    table.close()
    NeverThere(tmp_path / "a", columns("a")).abort()
