"""`python -m benchmarks.attachments`: the files of notes from a server to the bucket, beside a bare download of them.

The first peer streams each file to a temporary one with httpx, on as many threads and without any check; our
`SafeFetcher` alone stands beside it. The second one puts each file into the bucket as well, with one call of boto3; the
whole of `NoteFiles.carry`, which looks whether a file is there already, fetches it, judges it and puts it into the
bucket, stands beside that. Every candidate runs in a process of its own. Memory is the peak over the idle process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from benchmarks.migration_bench import COMPANY, PAGE_ROWS, Facts, measure, peak_bytes
from cdp_pipelines.domain.contact_notes.attachments import CrmAttachment
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.pipelines.contact_notes.config import CONTACT_NOTES
from cdp_pipelines.pipelines.contact_notes.files import FILES_AT_ONCE, NoteFiles
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.services import MigrationServices, from_environment
from cdp_pipelines.stores.contact_notes import ContactNotes
from cdp_pipelines.stores.migrations.runner import Migrator

if TYPE_CHECKING:
    import httpx

MODULE = "benchmarks.attachments"
SERVER = "BENCHMARK_FILES_URL"
SMALL, LARGE = 50_000, 20_000_000


def services() -> MigrationServices:
    return MigrationServices(from_environment(), CONTACT_NOTES)


def notes_with_files(count: int, size: int) -> list[CrmNote]:
    """One file a note."""
    root = os.environ[SERVER]
    return [
        CrmNote(
            number, "x", None, 1, None, None, None, 1, None, None, deleted=False,
            attachments=(CrmAttachment(number, "image", f"{root}/{size}/{number}.png", "a.png", "image/png", size),),
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


def each_to_a_file(notes: list[CrmNote], fetch: Callable[[str, BinaryIO], object]) -> None:
    def one(note: CrmNote) -> None:
        with tempfile.TemporaryFile() as file:
            fetch(note.attachments[0].url, file)

    with ThreadPoolExecutor(FILES_AT_ONCE) as threads:
        for _ in threads.map(one, notes):
            pass


def bare(notes: list[CrmNote]) -> None:
    import httpx

    with httpx.Client() as client:
        each_to_a_file(notes, lambda url, file: stream(client, url, file))


def bare_copy(notes: list[CrmNote]) -> None:
    import boto3
    import httpx

    s3 = boto3.client("s3", endpoint_url=os.environ["CDP_S3_ENDPOINT_URL"])
    with httpx.Client() as client:

        def copy(url: str, file: BinaryIO) -> None:
            stream(client, url, file)
            file.seek(0)
            s3.put_object(Bucket=os.environ["CDP_S3_BUCKET"], Key="bare/" + url.rsplit("/", 1)[1], Body=file)

        each_to_a_file(notes, copy)


def stream(client: "httpx.Client", url: str, file: BinaryIO) -> None:
    with client.stream("GET", url) as answer:
        for chunk in answer.iter_bytes():
            file.write(chunk)


def safe(notes: list[CrmNote]) -> None:
    each_to_a_file(notes, services().attachment_fetcher().fetch)


def carry(notes: list[CrmNote]) -> None:
    """A page at a time, as the migration does."""
    found = services()
    owned = found.jobs.open_new(COMPANY, "bench", {"dry_run": False, "options": {}}, now=found.now())
    if owned is None:
        raise SystemExit("there is a job in progress")
    hold, files = Hold(found, owned), NoteFiles(found, ContactNotes(found.database, COMPANY), request_id="bench")
    for start in range(0, len(notes), PAGE_ROWS):
        page = notes[start : start + PAGE_ROWS]
        _, parts = files.carry(hold, page, found.files_root_url(), dry_run=False)
        if parts.counts != {"attachments_stored": len(page)}:
            raise SystemExit(f"not all files arrived: {parts.counts}, {[failure for failure, _ in parts.failed[:3]]}")
    files.close()


CANDIDATES = {"bare": bare, "copy": bare_copy, "safe": safe, "carry": carry}


def worker(task: str) -> None:
    """One candidate; prints its facts as JSON."""
    name, count, size = task.split(":")
    notes = notes_with_files(int(count), int(size))
    services()
    idle = peak_bytes()
    began = time.perf_counter()
    CANDIDATES[name](notes)
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - began, "memory_bytes": peak_bytes() - idle}))


@contextmanager
def file_server() -> Iterator[int]:
    """Its port; it ends when its input does."""
    command = [sys.executable, "-m", "benchmarks.file_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()


def show(name: str, count: int, size: int, facts: Facts, peer: Facts) -> None:
    seconds = facts["seconds"]
    print(
        f"{name:<34}{count:>8,}{seconds:>10.1f}{count / seconds:>10,.0f}{count * size / seconds / 1e6:>10,.0f}"
        f"{peer['seconds'] / seconds:>10.2f}{facts['memory_bytes'] / 1e6:>8.0f}",
        flush=True,
    )


def table(stack: LocalStack, port: int, count: int, size: int) -> None:
    """One candidate after the other."""
    env = stack.up(fresh=True).variables
    os.environ.update({**env, "CDP_MONGO_DB": "benchmark", "CDP_ATTACHMENT_TRUSTED_HOSTS": f"127.0.0.1:{port}"})
    os.environ[SERVER] = f"http://127.0.0.1:{port}"
    found = services()
    Migrator(found.database).up()
    found.database.client.close()

    def measured(name: str) -> Facts:
        return measure(MODULE, f"{name}:{count}:{size}")

    peer = measured("bare")
    show(f"bare httpx, {size / 1e6:g} MB a file", count, size, peer, peer)
    show("SafeFetcher", count, size, measured("safe"), peer)
    peer = measured("copy")
    show("bare httpx and put_object", count, size, peer, peer)
    show("NoteFiles.carry", count, size, measured("carry"), peer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, nargs="+", default=[200, 2_000], help="numbers of small files")
    parser.add_argument("--large", type=int, default=20, help="number of large files")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        worker(arguments.worker)
        return
    with tempfile.TemporaryDirectory() as folder, file_server() as port:
        stack = LocalStack(Path(folder))
        try:
            print(f"{'':34}{'files':>8}{'seconds':>10}{'files/s':>10}{'MB/s':>10}{'of bare':>10}{'MB':>8}", flush=True)
            for count, size in [*((count, SMALL) for count in arguments.small), (arguments.large, LARGE)]:
                table(stack, port, count, size)
        finally:
            stack.down(delete_data=True)


if __name__ == "__main__":
    main()
