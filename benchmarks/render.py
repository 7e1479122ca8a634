"""`python -m benchmarks.render`: XLSX and CSV of 10,000 contacts of 60 mixed fields, beside other writers.

Ours is timed from contact documents to the closed file: reading, rendering, guarding and writing. The others get values
that are rendered already, as the specification asks. Every candidate runs in a process of its own; memory is the peak
over that process with its data loaded. Wall times are the best of `--repeat` rounds.
"""

import argparse
import csv
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.render_rows import SOURCES, Batches, load_into_mongo
from cdp_pipelines.domain.cells import StyledCell
from cdp_pipelines.domain.contact_export.fields import Column
from cdp_pipelines.domain.contact_export.values import csv_renderer, sheet_columns, xlsx_renderer
from cdp_pipelines.formats.table_file import open_table
from cdp_pipelines.local.stack import LocalStack

ZONE = ZoneInfo("Asia/Jakarta")
Work = Callable[[Path], None]


def ours(file_format: str, columns: tuple[Column, ...], batches: Batches) -> Work:
    def work(path: Path) -> None:
        renderer: Any = (csv_renderer if file_format == "csv" else xlsx_renderer)(columns, ZONE)
        with open_table(path, file_format, sheet_columns(columns, file_format)) as table:
            for batch in batches():
                table.write_columns(renderer.columns(batch))

    return work


def drained(batches: Batches) -> Work:
    """The raw ceiling of reading: all documents received, nothing made of them."""

    def work(path: Path) -> None:
        path.write_text(str(sum(len(batch) for batch in batches())))

    return work


def prepared(file_format: str, columns: tuple[Column, ...], batches: Batches) -> list[list[Any]]:
    renderer: Any = (csv_renderer if file_format == "csv" else xlsx_renderer)(columns, ZONE)
    rows = [renderer(contact) for batch in batches() for contact in batch]
    return [[cell.value if isinstance(cell, StyledCell) else cell for cell in row] for row in rows]


def bare_csv(rows: Sequence[Sequence[str]]) -> Work:
    def work(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            csv.writer(file).writerows(rows)

    return work


def pandas_to_excel(rows: list[list[Any]]) -> Work:
    import pandas as pd

    frame = pd.DataFrame(rows, dtype=object)

    def work(path: Path) -> None:
        frame.to_excel(path, index=False)

    return work


def openpyxl_write_only(rows: list[list[Any]]) -> Work:
    import openpyxl

    def work(path: Path) -> None:
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("Customers")
        for row in rows:
            sheet.append(row)
        book.save(path)

    return work


def xlsxwriter_constant_memory(rows: list[list[Any]]) -> Work:
    import xlsxwriter

    def work(path: Path) -> None:
        options = {"constant_memory": True, "strings_to_urls": False, "default_date_format": "yyyy-mm-dd"}
        book = xlsxwriter.Workbook(str(path), options)
        sheet = book.add_worksheet("Customers")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        book.close()

    return work


PEERS: dict[str, tuple[str, Callable[[list[list[Any]]], Work]]] = {
    "pandas to_excel": ("xlsx", pandas_to_excel),
    "openpyxl write-only": ("xlsx", openpyxl_write_only),
    "XlsxWriter constant_memory": ("xlsx", xlsxwriter_constant_memory),
    "csv.writer, bare": ("csv", bare_csv),
}
DRAINED = "source drained, no file"
OURS = {"ours, XLSX": "xlsx", "ours, CSV": "csv"}
TABLES = (
    ("XLSX", "ours, XLSX", ("pandas to_excel", "openpyxl write-only", "XlsxWriter constant_memory", DRAINED)),
    ("CSV", "ours, CSV", ("csv.writer, bare", DRAINED)),
)


def measure(candidate: str, source: str, rows: int, repeat: int) -> dict[str, float]:
    """Run one candidate in this process; seconds, CPU seconds, peak over idle in MB, size of the file in MB."""
    columns, batches = SOURCES[source](rows)
    if candidate in OURS:
        work = ours(OURS[candidate], columns, batches)
    elif candidate == DRAINED:
        work = drained(batches)
    else:
        file_format, make = PEERS[candidate]
        work = make(prepared(file_format, columns, batches))
    # The data of all rows at once is this benchmark's, not the export's: it must not slow the garbage collector.
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.xlsx"
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        walls, cpus = [], []
        for _ in range(repeat):
            wall, cpu = time.perf_counter(), time.process_time()
            work(path)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = path.stat().st_size
    return {"wall": min(walls), "cpu": min(cpus), "peak_mb": (peak - idle) / 1024, "size_mb": size / 1e6}


def in_process_of_its_own(candidate: str, source: str, rows: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.render", "--candidate", candidate, "--source", source]
    done = subprocess.run([*command, "--rows", str(rows), "--repeat", "1"], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--source", choices=sorted(SOURCES), default="memory")
    parser.add_argument("--only", choices=[table[0].lower() for table in TABLES])
    parser.add_argument("--candidate", choices=[*OURS, *PEERS, DRAINED], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.candidate:
        print(json.dumps(measure(asked.candidate, asked.source, asked.rows, asked.repeat)))
        return
    with _servers(asked.source, asked.rows):
        print_tables(asked)


@contextmanager
def _servers(source: str, rows: int) -> Iterator[None]:
    """For `mongo` without CDP_MONGO_URI: the embedded server, filled, for as long as the tables take."""
    if source != "mongo":
        yield
        return
    with tempfile.TemporaryDirectory(prefix="cdp-bench-") as folder:
        stack = None
        if "CDP_MONGO_URI" not in os.environ:
            stack = LocalStack(Path(folder))
            stack.up()
            os.environ["CDP_MONGO_URI"] = stack.env()["CDP_MONGO_URI"]
        try:
            load_into_mongo(os.environ["CDP_MONGO_URI"], rows)
            yield
        finally:
            if stack is not None:
                stack.down(delete_data=True)


def print_tables(asked: argparse.Namespace) -> None:
    for title, we, others in TABLES:
        if asked.only and asked.only != title.lower():
            continue
        print(f"{title}, {asked.rows:,} rows x 60 fields, source: {asked.source}, best of {asked.repeat}")
        print(f"{'':28}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'file MB':>9}{'time / ours':>13}")
        # Round by round, so that a machine that is slower for a while is so for all of them.
        best: dict[str, dict[str, float]] = {}
        for _ in range(asked.repeat):
            for candidate in (we, *others):
                found = in_process_of_its_own(candidate, asked.source, asked.rows)
                if candidate not in best or found["wall"] < best[candidate]["wall"]:
                    best[candidate] = found
        base = best[we]["wall"]
        for candidate, found in best.items():
            figures = f"{found['wall']:>8.2f}{found['cpu']:>8.2f}{found['peak_mb']:>9.1f}{found['size_mb']:>9.2f}"
            print(f"{candidate:28}{figures}{found['wall'] / base:>12.2f}x", flush=True)
        print()


if __name__ == "__main__":
    main()
