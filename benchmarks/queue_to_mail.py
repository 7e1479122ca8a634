"""`python -m benchmarks.queue_to_mail`: from a document in the queue to the email, and a burst beside empty runs.

One idle machine, the embedded servers, a real daemon with the repository's `dagster.yaml`. First single exports of 100
contacts, one after the other: seen by the sensor → run started → done. Then a burst of 50 over five companies, so that
no company's limit holds it back, and beside it 50 runs that do nothing, under the same limits.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from cdp_pipelines.domain.contact_export.delivery import TERMINAL_STATUSES
from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines_tests.e2e.dagster_services import process, tool
from cdp_pipelines_tests.integration.pipelines.harness import Exports, contact_id
from cdp_pipelines_tests.support.waiting import wait_for

Document = dict[str, Any]
CONTACTS = 100
COMPANIES = 5


def ended(exports: Exports, job_id: str) -> Document:
    def probe() -> Document | None:
        job = exports.job(job_id)
        return job if job["status"] in TERMINAL_STATUSES else None

    return wait_for(f"the end of {job_id}", probe, seconds=900, every=0.1)


def singles(exports: Exports, count: int) -> list[tuple[float, float]]:
    """Seconds from insertion to the run's start, and from there to the end, of exports on an idle system."""
    ids = [contact_id(number) for number in range(1, CONTACTS + 1)]
    measured = []
    for _ in range(count):
        job = ended(exports, exports.queue(contact_ids=ids, format="xlsx"))
        if job["status"] != "completed":
            raise SystemExit(f"an export ended as {job['status']}: {job.get('error')}")
        measured.append((_seconds(job["created_at"], job["started_at"]), _seconds(job["started_at"], job["ended_at"])))
    return measured


def burst(companies: list[tuple[Exports, list[str]]], size: int) -> float:
    """Seconds from the first insertion until the last of `size` exports has ended."""
    began = time.perf_counter()
    queued = []
    for number in range(size):
        exports, ids = companies[number % len(companies)]
        queued.append((exports, exports.queue(contact_ids=ids)))
    for exports, job_id in queued:
        ended(exports, job_id)
    return time.perf_counter() - began


def empty_burst(env: Mapping[str, str], log: Path, size: int) -> float:
    """The same for runs that do nothing: from the first run's creation until the last has ended."""
    arguments = [tool("dagster-daemon"), "run", "-m", "benchmarks.empty_runs"]
    with process(arguments, {**env, "CDP_BENCH_BURST": str(size)}, log):
        # In one process of its own: an instance is bound to the DAGSTER_HOME of its process, and starting it costs.
        watching = [sys.executable, "-m", "benchmarks.empty_runs", str(size)]
        answer = subprocess.run(watching, env=dict(env), capture_output=True, text=True, check=True, timeout=900)
    return float(answer.stdout.strip().splitlines()[-1])


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--singles", type=int, default=5, help="exports one after the other (default 5)")
    parser.add_argument("--burst", type=int, default=50, help="requests at once (default 50)")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="cdp-bench-") as folder:
        root = Path(folder)
        stack = LocalStack(root / "stack")
        stack.up()
        try:
            env = {**os.environ, **stack.env(), "CDP_EXPORT_RATE_LIMIT": "100000", "CDP_MONGO_DB": "bench"}
            os.environ.update({name: value for name, value in env.items() if name.startswith("AWS_")})
            _measure(env, root, options.singles, options.burst)
        finally:
            stack.down(delete_data=True)


def _measure(env: Mapping[str, str], root: Path, count: int, size: int) -> None:
    client: MongoClient[Document] = MongoClient(env["CDP_MONGO_URI"], tz_aware=True)
    with closing(client):
        companies = []
        for number in range(COMPANIES):
            first = 1 + number * 1_000
            exports = Exports(env, client["bench"], root / "work", contacts=0)
            exports.add_contacts(exports.company, CONTACTS, first=first)
            companies.append((exports, [contact_id(first), contact_id(first + 1)]))
        arguments = [tool("dagster-daemon"), "run", "-m", "cdp_pipelines.definitions"]
        with process(arguments, env, root / "daemon.log"):
            first_company, _ = companies[0]
            ended(first_company, first_company.queue())
            single = singles(first_company, count)
            full = burst(companies, size)
        empty = empty_burst(env, root / "empty.log", size)
        for exports, _ in companies:
            exports.close()
    _print(single, full, empty, size)


def _print(single: list[tuple[float, float]], full: float, empty: float, size: int) -> None:
    starts, works = [s for s, _ in single], [w for _, w in single]
    print(f"{'what':46} {'median':>9} {'worst':>9}")
    print(f"{'request inserted → run started':46} {statistics.median(starts):8.2f}s {max(starts):8.2f}s")
    print(f"{'run started → 100 contacts sent and done':46} {statistics.median(works):8.2f}s {max(works):8.2f}s")
    print(f"{f'burst of {size}: all sent and done':46} {full:8.1f}s   {full / size:6.2f} s an export")
    print(f"{f'{size} empty Dagster runs, same limits':46} {empty:8.1f}s   {empty / size:6.2f} s a run")
    print(f"{'exports cost, in empty runs':46} {full / empty:8.2f}×")


if __name__ == "__main__":
    main()
