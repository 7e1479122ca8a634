"""What the benchmarks of migrations share: one company, its candidates in processes of their own, and the table.

The ceilings read the same rows by the same server-side cursor and insert them unchanged: `bare copy` into a collection
without indexes, `raw copy` into one with the same indexes as the migration's. Every candidate runs in a process of its
own (two shards: two processes), on fresh collections of one embedded stack. Memory is the peak over the idle process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.paging import migrate_shard, plan
from cdp_pipelines.pipelines.migrations.reconcile import reconcile
from cdp_pipelines.pipelines.migrations.services import MigrationServices, from_environment
from cdp_pipelines.pipelines.migrations.source import MigrationSource
from cdp_pipelines.stores.migrated_documents import MigratedDocuments
from cdp_pipelines.stores.migration_jobs import Owned
from cdp_pipelines.stores.migrations.runner import Migrator

CID = 77
COMPANY = "benchmark"
SYNCED = datetime(2024, 6, 1, tzinfo=UTC)
PAGE_ROWS = 500
Facts = dict[str, Any]
Document = dict[str, Any]
People = list[tuple[int, datetime]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One migration. `module` is what its workers are started as.

    `load(dsn, people, rows)` fills the CRM, `pages` reads it bare, `raw(row, documents)` is a row as it is with what
    the unique index is on. `further(hold, source, job)` is a pass between migrating and reconciling.
    """

    module: str
    kind: MigrationKind
    load: Callable[[str, People, int], None]
    pages: Callable[[], Iterator[Sequence[Any]]]
    raw: Callable[[Any, MigratedDocuments], Document]
    further: Callable[[Hold, Any, Document], object] | None = None
    further_name: str = ""

    def services(self) -> MigrationServices:
        return MigrationServices(from_environment(), self.kind)

    def source(self, found: MigrationServices) -> MigrationSource:
        return self.kind.source(found, found.company(COMPANY), None)


def synced(person: int) -> datetime:
    """When a person's contact was made; people were synced one after the other."""
    return SYNCED + timedelta(minutes=person)


def prepare(bench: Bench, env: dict[str, str], rows: int, people: int) -> None:
    """One company with contacts, and its rows in the CRM."""
    found = bench.services()
    Migrator(found.database).up()
    features = {bench.kind.flag: True}
    found.database["companies"].insert_one({"_id": COMPANY, "cid": CID, "name": "B", "features": features})
    numbers = range(1, people + 1)
    for start in range(0, people, 1_000):
        found.database["contacts"].insert_many(
            [
                {"company_sso_id": COMPANY, "name": "C", "crm_data": {"id": str(number)}, "created_at": synced(number)}
                for number in numbers[start : start + 1_000]
            ]
        )
    bench.load(env["CRM_AUDIT_DATABASE_URL"], [(number, synced(number)) for number in numbers], rows)
    # An idle connection's place in its tables makes the embedded server's writers wait.
    found.database.client.close()


def raw_copy(bench: Bench, *, indexed: bool) -> None:
    """The rows as they are, with what the unique index is on."""
    database = bench.services().database
    name = "raw_indexed" if indexed else "raw_bare"
    documents = bench.kind.documents(database, COMPANY)
    if indexed:
        for index, facts in database[documents.kind.collection].index_information().items():
            if index != "_id_":
                options = {key: facts[key] for key in ("unique", "partialFilterExpression") if key in facts}
                database[name].create_index(facts["key"], name=index, **options)
    for page in bench.pages():
        rows = [
            {"_id": documents.document_id(row.id), "company_sso_id": COMPANY, **bench.raw(row, documents)}
            for row in page
        ]
        database[name].insert_many(rows, ordered=False)


def open_job(bench: Bench, shards: int, *, page_rows: int = PAGE_ROWS) -> Hold:
    found = bench.services()
    options = {"force": False, "dry_run": False, "date_range_start": None, "page_rows": page_rows, "shards": shards}
    owned = found.jobs.open_new(COMPANY, "bench", {"dry_run": False, "options": options}, now=found.now())
    if owned is None:
        raise SystemExit("there is a job in progress")
    hold = Hold(found, owned)
    plan(hold, bench.source(found), hold.beat())
    return hold


def held(bench: Bench) -> tuple[Hold, Document]:
    """The job that `open_job` made, and a hold on it."""
    found = bench.services()
    job = found.jobs.active(COMPANY)
    if job is None:
        raise SystemExit("no job")
    return Hold(found, Owned(job["_id"], COMPANY, "bench")), job


def migrate(bench: Bench, shard: str) -> None:
    hold, job = held(bench)
    migrate_shard(hold, bench.source(hold.services), job, shard)


def ours(bench: Bench, shards: int) -> Facts:
    """The whole migration, one process a shard; the memory of several is that of all of them."""
    if shards == 1:
        migrate(bench, "shard_0")
        return {}
    command = [sys.executable, "-m", bench.module, "--worker"]
    workers = [
        subprocess.Popen([*command, f"shard:shard_{number}"], stdout=subprocess.PIPE, text=True)
        for number in range(shards)
    ]
    answers = [worker.communicate()[0] for worker in workers]
    if any(worker.returncode for worker in workers):
        raise SystemExit("a shard failed")
    return {"memory_bytes": sum(json.loads(answer)["memory_bytes"] for answer in answers)}


def compare(bench: Bench, *, further: bool) -> Facts:
    hold, _ = held(bench)
    source = bench.source(hold.services)
    began = time.perf_counter()
    if further and bench.further is not None:
        bench.further(hold, source, hold.beat())
    between = time.perf_counter()
    job = reconcile(hold, source, hold.beat())
    return {
        "further_seconds": between - began,
        "reconcile_seconds": time.perf_counter() - between,
        "match_pct": job["match_pct"],
        "processed": job["records_processed"],
        "migrated": job["records_migrated"],
    }


def worker(bench: Bench, task: str) -> None:
    """One candidate; prints its facts as JSON."""
    name, _, argument = task.partition(":")
    if name == "open":
        open_job(bench, int(argument))
        return
    bench.services()
    idle = peak_bytes()
    began = time.perf_counter()
    facts: Facts = {}
    if name == "read":
        for _ in bench.pages():
            pass
    elif name in {"bare", "raw"}:
        raw_copy(bench, indexed=name == "raw")
    elif name == "shard":
        migrate(bench, argument)
    elif name == "ours":
        facts = ours(bench, int(argument))
    else:
        facts = compare(bench, further=name == "further")
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - began, "memory_bytes": peak_bytes() - idle, **facts}))


def peak_bytes() -> int:
    # Not getrusage: its peak begins with that of the process that started this one.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise SystemExit("no VmHWM in /proc/self/status")


def measure(module: str, task: str) -> Facts:
    """What a worker of this module says about a task."""
    done = subprocess.run([sys.executable, "-m", module, "--worker", task], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2_000:])
    found: Facts = json.loads(done.stdout) if done.stdout else {}
    return found


def show_row(name: str, rows: int, facts: Facts, ceiling: float | None) -> None:
    rate = rows / facts["seconds"]
    share = f"{rate / ceiling:6.2f}" if ceiling else "     –"
    memory = facts["memory_bytes"] / 1_000_000
    print(f"{name:<34}{rows:>11,}{facts['seconds']:>10.1f}{rate:>12,.0f}{share:>12}{memory:>10.0f}", flush=True)


def show_comparison(bench: Bench, rows: int, facts: Facts) -> None:
    further = f"{bench.further_name} {facts['further_seconds']:.1f} s, " if bench.further is not None else ""
    print(
        f"{'':2}{further}reconciliation {facts['reconcile_seconds']:.1f} s "
        f"({rows / facts['reconcile_seconds']:,.0f} rows/s), match {facts['match_pct']} %, "
        f"{facts['migrated']:,} of {facts['processed']:,} migrated, {facts['memory_bytes'] / 1e6:.0f} MB over idle",
        flush=True,
    )


def show_table(bench: Bench, stack: LocalStack, rows: int, arguments: argparse.Namespace) -> None:
    """One candidate after the other, each on servers that hold nothing but its source."""

    def on_fresh_servers(*tasks: str) -> list[Facts]:
        env = stack.up(fresh=True).variables
        os.environ.update({**env, "CDP_MONGO_DB": "benchmark", "CDP_ALERT_WEBHOOK_URL": ""})
        prepare(bench, env, rows, arguments.people)
        return [measure(bench.module, task) for task in tasks]

    show_row("read by cursor", rows, *on_fresh_servers("read"), None)
    if not arguments.no_bare:
        show_row("bare copy (no indexes)", rows, *on_fresh_servers("bare"), None)
    (raw,) = on_fresh_servers("raw")
    ceiling = rows / raw["seconds"]
    show_row("raw copy (same indexes)", rows, raw, ceiling)
    for shards in arguments.shards:
        tasks = [f"open:{shards}", f"ours:{shards}"]
        if shards == 1 and not arguments.no_comparison:
            tasks.append("compare" if getattr(arguments, "no_further", True) else "further")
        found = on_fresh_servers(*tasks)
        show_row(f"{bench.kind.asset}, {shards} shard{'s' if shards > 1 else ''}", rows, found[1], ceiling)
        if len(found) > 2:
            show_comparison(bench, rows, found[2])


def parser_of(description: str, rows: Sequence[int]) -> argparse.ArgumentParser:
    """The options that all benchmarks of migrations have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rows", type=int, nargs="+", default=list(rows))
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--no-bare", action="store_true", help="leave out the copy without indexes")
    parser.add_argument("--no-comparison", action="store_true", help="leave out what comes after the migration")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser


def run(bench: Bench, arguments: argparse.Namespace) -> None:
    """Be one candidate, or start all of them one after the other."""
    if arguments.worker:
        worker(bench, arguments.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        stack = LocalStack(Path(folder), mongo_cache_megabytes=4_096)
        try:
            print(f"{'':34}{'rows':>11}{'seconds':>10}{'rows/s':>12}{'of ceiling':>12}{'MB':>10}", flush=True)
            for rows in arguments.rows:
                show_table(bench, stack, rows, arguments)
        finally:
            stack.down(delete_data=True)
