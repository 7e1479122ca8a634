"""`python -m benchmarks.migrate`: activity logs from CRM audits to the CDP, beside the raw copy of the same rows.

The ceilings read the same rows by the same server-side cursor and insert them unchanged: `bare copy` into a collection
without indexes, `raw copy` into one with the same indexes as `activity_logs`. Every candidate runs in a process of its
own (two shards: two processes), on fresh collections of one embedded stack. Memory is the peak over the idle process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
from cdp_pipelines.pipelines.activity_logs.enrich import enrich
from cdp_pipelines.pipelines.activity_logs.pages import AuditSource
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.paging import migrate_shard, plan
from cdp_pipelines.pipelines.migrations.reconcile import reconcile
from cdp_pipelines.pipelines.migrations.services import MigrationServices, from_environment
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.stores.activity_logs import ActivityLogs
from cdp_pipelines.stores.migration_jobs import Owned
from cdp_pipelines.stores.migrations.runner import Migrator

CID = 77
COMPANY = "benchmark"
SYNCED = datetime(2024, 6, 1, tzinfo=UTC)
PAGE_ROWS = 500
Facts = dict[str, Any]


def services() -> MigrationServices:
    return MigrationServices(from_environment(), ACTIVITY_LOGS)


def synced(person: int) -> datetime:
    """When a person's contact was made; people were synced one after the other."""
    return SYNCED + timedelta(minutes=person)


def prepare(env: dict[str, str], rows: int, people: int) -> None:
    """One company with contacts, and its audits in the CRM."""
    from cdp_pipelines.local.demo_crm import bulk_load

    found = services()
    Migrator(found.database).up()
    features = {ACTIVITY_LOGS.flag: True}
    found.database["companies"].insert_one({"_id": COMPANY, "cid": CID, "name": "B", "features": features})
    numbers = range(1, people + 1)
    for start in range(0, people, 1_000):
        found.database["contacts"].insert_many(
            [
                {"company_sso_id": COMPANY, "name": "C", "crm_data": {"id": str(number)}, "created_at": synced(number)}
                for number in numbers[start : start + 1_000]
            ]
        )
    bulk_load(
        env["CRM_AUDIT_DATABASE_URL"], organization_id=CID, people=[(number, synced(number)) for number in numbers],
        audits=rows, seed=1, first_audit_id=1,
    )  # fmt: skip
    # An idle connection's place in its tables makes the embedded server's writers wait.
    found.database.client.close()


def pages() -> Iterator[Sequence[Any]]:
    crm = CrmPostgresResource().open(CID)
    overview = crm.audit_overview(None)
    yield from crm.audits(
        after=0, to=overview.last_id, scope=overview.auditable_types, cutoff=None, page_rows=PAGE_ROWS
    )


def read_only() -> int:
    return sum(len(page) for page in pages())


def raw_copy(*, indexed: bool) -> int:
    """The rows as they are, with what the unique index is on."""
    database = services().database
    name = "raw_indexed" if indexed else "raw_bare"
    if indexed:
        for index, facts in database["activity_logs"].index_information().items():
            if index != "_id_":
                options = {key: facts[key] for key in ("unique", "partialFilterExpression") if key in facts}
                database[name].create_index(facts["key"], name=index, **options)
    logs = ActivityLogs(database, COMPANY)
    copied = 0
    for page in pages():
        documents = [
            {
                "_id": logs.document_id(audit.id), "company_sso_id": COMPANY, "external_id": f"crm_audit:{audit.id}",
                "customer_id": str(audit.auditable_id), "timestamp": audit.created_at, **audit._asdict(),
            }
            for audit in page
        ]  # fmt: skip
        database[name].insert_many(documents, ordered=False)
        copied += len(documents)
    return copied


def open_job(shards: int) -> Hold:
    found = services()
    options = {"force": False, "dry_run": False, "date_range_start": None, "page_rows": PAGE_ROWS, "shards": shards}
    owned = found.jobs.open_new(COMPANY, "bench", {"dry_run": False, "options": options}, now=found.now())
    if owned is None:
        raise SystemExit("there is a job in progress")
    hold = Hold(found, owned)
    plan(hold, source_of(found), hold.beat())
    return hold


def source_of(found: MigrationServices) -> AuditSource:
    return AuditSource(found, found.company(COMPANY), None)


def migrate(shard: str) -> int:
    found = services()
    job = found.jobs.active(COMPANY)
    if job is None:
        raise SystemExit("no job")
    migrate_shard(Hold(found, Owned(job["_id"], COMPANY, "bench")), source_of(found), job, shard)
    after = found.jobs.active(COMPANY)
    return int((after or {})["shards"][shard]["processed"])


def ours(shards: int) -> Facts:
    """The whole migration, one process a shard; the memory of several is that of all of them."""
    if shards == 1:
        migrate("shard_0")
        return {}
    command = [sys.executable, "-m", "benchmarks.migrate", "--worker"]
    workers = [
        subprocess.Popen([*command, f"shard:shard_{number}"], stdout=subprocess.PIPE, text=True)
        for number in range(shards)
    ]
    answers = [worker.communicate()[0] for worker in workers]
    if any(worker.returncode for worker in workers):
        raise SystemExit("a shard failed")
    return {"memory_bytes": sum(json.loads(answer)["memory_bytes"] for answer in answers)}


def compare(*, enriching: bool) -> Facts:
    found = services()
    job = found.jobs.active(COMPANY)
    if job is None:
        raise SystemExit("no job")
    hold = Hold(found, Owned(job["_id"], COMPANY, "bench"))
    source = source_of(found)
    began = time.perf_counter()
    if enriching:
        enrich(hold, source, hold.beat(), tolerance_seconds=2.0)
    enriched = time.perf_counter()
    job = reconcile(hold, source, hold.beat())
    return {
        "enrich_seconds": enriched - began,
        "reconcile_seconds": time.perf_counter() - enriched,
        "match_pct": job["match_pct"],
        "processed": job["records_processed"],
        "migrated": job["records_migrated"],
    }


def worker(task: str) -> None:
    """One candidate; prints its facts as JSON."""
    name, _, argument = task.partition(":")
    if name == "open":
        open_job(int(argument))
        return
    services()
    idle = peak_bytes()
    began = time.perf_counter()
    facts: Facts = {}
    if name == "read":
        read_only()
    elif name in {"bare", "raw"}:
        raw_copy(indexed=name == "raw")
    elif name == "shard":
        migrate(argument)
    elif name == "ours":
        facts = ours(int(argument))
    else:
        facts = compare(enriching=name == "enrich")
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - began, "memory_bytes": peak_bytes() - idle, **facts}))


def peak_bytes() -> int:
    # Not getrusage: its peak begins with that of the process that started this one.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise SystemExit("no VmHWM in /proc/self/status")


def measure(task: str) -> Facts:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.migrate", "--worker", task], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2_000:])
    found: Facts = json.loads(done.stdout) if done.stdout else {}
    return found


def row(name: str, rows: int, facts: Facts, ceiling: float | None) -> None:
    rate = rows / facts["seconds"]
    share = f"{rate / ceiling:6.2f}" if ceiling else "     –"
    memory = facts["memory_bytes"] / 1_000_000
    print(f"{name:<34}{rows:>11,}{facts['seconds']:>10.1f}{rate:>12,.0f}{share:>12}{memory:>10.0f}", flush=True)


def table(stack: LocalStack, rows: int, arguments: argparse.Namespace) -> None:
    """One candidate after the other, each on servers that hold nothing but its source."""

    def on_fresh_servers(*tasks: str) -> list[Facts]:
        env = stack.up(fresh=True).variables
        os.environ.update({**env, "CDP_MONGO_DB": "benchmark", "CDP_ALERT_WEBHOOK_URL": ""})
        prepare(env, rows, arguments.people)
        return [measure(task) for task in tasks]

    row("read by cursor", rows, *on_fresh_servers("read"), None)
    if not arguments.no_bare:
        row("bare copy (no indexes)", rows, *on_fresh_servers("bare"), None)
    (raw,) = on_fresh_servers("raw")
    ceiling = rows / raw["seconds"]
    row("raw copy (same indexes)", rows, raw, ceiling)
    for shards in arguments.shards:
        tasks = [f"open:{shards}", f"ours:{shards}"]
        if shards == 1 and not arguments.no_comparison:
            tasks.append("enrich" if not arguments.no_enrichment else "compare")
        found = on_fresh_servers(*tasks)
        row(f"activity_logs, {shards} shard{'s' if shards > 1 else ''}", rows, found[1], ceiling)
        if len(found) > 2:
            show_comparison(rows, found[2])


def show_comparison(rows: int, facts: Facts) -> None:
    print(
        f"{'':2}enrichment {facts['enrich_seconds']:.1f} s, reconciliation {facts['reconcile_seconds']:.1f} s "
        f"({rows / facts['reconcile_seconds']:,.0f} rows/s), match {facts['match_pct']} %, "
        f"{facts['migrated']:,} of {facts['processed']:,} migrated, {facts['memory_bytes'] / 1e6:.0f} MB over idle",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--no-bare", action="store_true", help="leave out the copy without indexes")
    parser.add_argument("--no-enrichment", action="store_true", help="leave out the second pass over associations")
    parser.add_argument("--no-comparison", action="store_true", help="leave out enrichment and reconciliation")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        worker(arguments.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        stack = LocalStack(Path(folder), mongo_cache_megabytes=4_096)
        try:
            print(f"{'':34}{'rows':>11}{'seconds':>10}{'rows/s':>12}{'of ceiling':>12}{'MB':>10}", flush=True)
            for rows in arguments.rows:
                table(stack, rows, arguments)
        finally:
            stack.down(delete_data=True)


if __name__ == "__main__":
    main()
