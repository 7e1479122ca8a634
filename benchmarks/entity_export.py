"""`python -m benchmarks.entity_export`: a million vouchers and orders, customers with figures, beside bare cursors.

Ours, *to the bucket*, is all of an export's work but Dagster's: count, walk, render, write, upload in parts, progress
on the document after every page. Ours, *to a file*, leaves out the store and the document. The peers read the same
fields by the same walk and write them with `csv.writer` or `orjson`, unguarded and with dates as Python prints them.
Every candidate runs in a process of its own on one embedded stack; memory is the peak over the idle process.
"""

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.entity_export_rows import COMPANY, batches
from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.request import EntityExportRequest, read_request
from cdp_pipelines.domain.entity_export.values import EntityRenderer
from cdp_pipelines.formats.row_stream import open_rows
from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.pipelines.entity_export.services import EntityServices, from_environment
from cdp_pipelines.pipelines.entity_export.writing import write_files
from cdp_pipelines.pipelines.exports.heartbeat import Beat
from cdp_pipelines.stores.entity_rows import COMPANY_ID_INDEX, EntityReader
from cdp_pipelines.stores.migrations.runner import Migrator

PAGE_ROWS = 1_000
Facts = dict[str, float]

FIELDS = {
    "voucher": ["code", "voucher_type", "value", "discount_type"],
    "voucher, all": [field.name for field in ENTITIES["voucher"].fields if field.is_stored],
    "order": [field.name for field in ENTITIES["order"].fields],
    "customer": [field.name for field in ENTITIES["customer"].fields],
}
# What the peers read: the places that these documents have.
BARE = {
    "voucher": ["code", "type", "discount.amount_off", "discount.type"],
    "order": FIELDS["order"],
    "customer": ["id", "name", "email", "phone", "created_at"],
}


def request_for(title: str, file_format: str, *, gzip: bool = False, order: str = "") -> EntityExportRequest:
    name = title.partition(",")[0]
    parameters = {"format": file_format, "fields": FIELDS[title], "compression": "gzip" if gzip else None}
    return read_request(
        {
            "id": f"exp_{os.getpid()}{time.monotonic_ns()}",
            "company_sso_id": COMPANY,
            "exported_object": name,
            "parameters": {**parameters, "order": order},
            "created_at": datetime.now(UTC),
        },
        webhook_problem=lambda _: None,
    )


def to_bucket(services: EntityServices, request: EntityExportRequest, folder: Path) -> int:
    now = services.now()
    document = {"id": request.export_id, "company_sso_id": COMPANY, "status": "SCHEDULED", "created_at": now}
    services.jobs.insert(document)
    services.jobs.start(request.export_id, COMPANY, "run", now=now)
    sizes: list[int] = []
    beat = Beat(services, request.export_id, COMPANY, "run")
    write_files(services, request, folder, beat, lambda written: sizes.append(written.size_bytes))
    return sizes[-1]


def to_file(services: EntityServices, request: EntityExportRequest, folder: Path) -> int:
    path = folder / "ours"
    renderer = EntityRenderer(request.fields, request.file_format, request.zone)
    reader = EntityReader(services.database, request)
    names = [field.name for field in request.fields]
    with path.open("wb") as sink, open_rows(sink, request.file_format, names, gzip=request.gzip) as rows:  # type: ignore[arg-type]
        for page in reader.pages(PAGE_ROWS):
            rows.write_columns(renderer.columns(page))
    return path.stat().st_size


def bare_cursor(services: EntityServices, name: str) -> Iterator[dict[str, Any]]:
    entity = ENTITIES[name]
    yield from (
        services.database[entity.collection]
        .find({"company_sso_id": COMPANY}, dict.fromkeys(BARE[name], 1), batch_size=PAGE_ROWS)
        .sort([("_id", 1)])
        .hint(COMPANY_ID_INDEX)
    )


def bare_csv(services: EntityServices, name: str, folder: Path) -> int:
    path = folder / "bare.csv"
    places = [place.split(".") for place in BARE[name]]
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(BARE[name])
        for document in bare_cursor(services, name):
            writer.writerow([_at(document, place) for place in places])
    return path.stat().st_size


def _at(document: Any, place: list[str]) -> Any:
    for part in place:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def bare_ndjson(services: EntityServices, name: str, folder: Path) -> int:
    import orjson

    path = folder / "bare.ndjson"
    with path.open("wb") as file:
        for document in bare_cursor(services, name):
            file.write(orjson.dumps({k: v for k, v in document.items() if k != "_id"}) + b"\n")
    return path.stat().st_size


def bare_gzip(services: EntityServices, name: str, folder: Path) -> int:
    path = folder / "bare.csv.gz"
    places = [place.split(".") for place in BARE[name]]
    with gzip.open(path, "wt", newline="", encoding="utf-8-sig", compresslevel=6) as file:
        writer = csv.writer(file)
        for document in bare_cursor(services, name):
            writer.writerow([_at(document, place) for place in places])
    return path.stat().st_size


def drained(services: EntityServices, name: str, folder: Path) -> int:
    return sum(1 for _ in bare_cursor(services, name))


Work = Callable[[EntityServices, Path], int]


def candidate(title: str, name: str) -> Work:
    """`voucher: ours, CSV to the bucket` and the like."""
    form = next((each for each in ("CSV", "NDJSON", "JSON", "XLSX") if each in name), "CSV")
    if name.startswith("ours"):
        order = "-updated_at" if "ordered" in name else ""
        run = to_bucket if "bucket" in name else to_file
        return lambda services, folder: run(
            services, request_for(title, form, gzip="gzip" in name, order=order), folder
        )
    bare = bare_gzip if "gzip" in name else bare_ndjson if form == "NDJSON" else bare_csv
    work = drained if "drained" in name else bare
    return lambda services, folder: work(services, title.partition(",")[0], folder)


def measure(title: str, name: str) -> Facts:
    services = from_environment().services()
    services.object_store().check()
    services.database.command("ping")
    work = candidate(title, name)
    with tempfile.TemporaryDirectory() as folder:
        # From here on the kernel's mark of the highest is of this work alone.
        Path("/proc/self/clear_refs").write_text("5")
        idle = _memory("VmRSS")
        wall, cpu = time.perf_counter(), time.process_time()
        size = work(services, Path(folder))
        facts = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "size_mb": size / 1e6}
    return {**facts, "peak_mb": (_memory("VmHWM") - idle) / 1024}


def _memory(name: str) -> int:
    """Kilobytes, as Linux says."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def in_process_of_its_own(title: str, name: str) -> Facts:
    command = [sys.executable, "-m", "benchmarks.entity_export", "--object", title, "--candidate", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: Facts = json.loads(done.stdout.splitlines()[-1])
    return found


def fill(rows: int, collections: tuple[str, ...]) -> None:
    database = from_environment().services().database
    Migrator(database).up()
    for collection in collections:
        database[collection].delete_many({})
        for documents in batches(collection, rows):
            database[collection].insert_many(documents, ordered=False)


def table(title: str, rows: int, names: tuple[str, ...]) -> None:
    print(f"\n{title}, {rows:,} rows x {len(FIELDS[title])} fields")
    print(f"{'':34}{'wall s':>8}{'CPU s':>8}{'rows/s':>10}{'peak MB':>9}{'file MB':>9}{'rows/s over peer':>18}")
    found = {name: in_process_of_its_own(title, name) for name in names}
    for name, facts in found.items():
        form = "NDJSON" if "NDJSON" in name else "gzip" if "gzip" in name else "CSV"
        peer = next((other for other in names if other.startswith("bare") and form in other), None)
        ratio = f"{found[peer]['wall'] / facts['wall']:.2f}" if peer else ""
        print(
            f"{name:34}{facts['wall']:>8.2f}{facts['cpu']:>8.2f}{rows / facts['wall']:>10,.0f}{facts['peak_mb']:>9.1f}"
            f"{facts['size_mb']:>9.1f}{ratio:>18}",
            flush=True,
        )


FILES = (
    "cursor drained",
    "bare, CSV",
    "ours, CSV to a file",
    "ours, CSV to the bucket",
    "ours, CSV to the bucket, ordered",
    "bare, NDJSON",
    "ours, NDJSON to the bucket",
    "bare, CSV gzip",
    "ours, CSV gzip to the bucket",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--only", choices=["size", "voucher", "order", "customer"])
    parser.add_argument("--object", help=argparse.SUPPRESS)
    parser.add_argument("--candidate", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.candidate:
        print(json.dumps(measure(asked.object, asked.candidate)))
        return
    with tempfile.TemporaryDirectory(prefix="cdp-bench-") as folder:
        stack = LocalStack(Path(folder))
        stack.up()
        try:
            os.environ.update(stack.env())
            run_tables(asked)
        finally:
            stack.down(delete_data=True)


def run_tables(asked: argparse.Namespace) -> None:
    def wanted(name: str) -> bool:
        return asked.only in (None, name)

    if wanted("size"):
        for rows in (asked.rows // 100, asked.rows // 10, asked.rows):
            fill(rows, ("vouchers",))
            table("voucher", rows, ("bare, CSV", "ours, CSV to the bucket"))
    if wanted("voucher"):
        fill(asked.rows, ("vouchers",))
        table("voucher", asked.rows, FILES)
        table("voucher, all", asked.rows, ("ours, CSV to the bucket",))
    if wanted("order"):
        fill(asked.rows, ("orders",))
        table("order", asked.rows, FILES)
    if wanted("customer"):
        fill(asked.customers, ("customers", "vouchers"))
        fill(3 * asked.customers, ("orders", "redemptions"))
        table("customer", asked.customers, ("bare, CSV", "ours, CSV to the bucket", "ours, XLSX to the bucket"))


if __name__ == "__main__":
    main()
