"""The demo's entity exports: commerce in, waiting, and everything looked at afterwards.

Belongs here: the order of things. Not here: asking (`entity_queue.py`), showing (`entity_view.py`), comparing
(`entity_outcome.py`).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.demo.entity_outcome import EntityOutcome
from cdp_pipelines.cli.demo.entity_queue import queue_repeats
from cdp_pipelines.cli.demo.entity_view import live_table
from cdp_pipelines.domain.errors import CdpError

if TYPE_CHECKING:
    from rich.table import Table

    from cdp_pipelines.pipelines.entity_export.services import EntityServices

_UUID: Final = re.compile(r"-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def load_data(services: "EntityServices", *, scale: float) -> None:
    """Bring the demo's commerce into the database, and Chinook's where its file is; after the contacts."""
    from cdp_pipelines.local.demo_chinook import chinook_file, load_chinook
    from cdp_pipelines.local.demo_commerce_chinook import load_chinook_commerce
    from cdp_pipelines.local.demo_commerce_load import load_commerce

    console, chinook = output.stderr(), chinook_file()
    with console.status("Loading the demo's commerce …") as status:
        summary = load_commerce(
            services.database,
            scale=scale,
            on_progress=lambda name, done: status.update(f"Loading the demo's commerce … {done:,} of {name}"),
        )
        loaded = list(summary.companies)
        if chinook is not None:
            load_chinook(services.database, chinook)
            loaded.append(load_chinook_commerce(services.database, chinook))
    unchanged = all(company.action == "unchanged" for company in loaded)
    what = "was there already" if unchanged else "loaded"
    documents = sum(company.documents for company in loaded)
    console.print(
        f"✔ Demo commerce {what}: {documents:,} documents of {len(loaded)} companies ({summary.seconds:.1f} s)",
        style="green",
    )


class EntityExportsPart:
    """The entity exports in the demo's live display."""

    def __init__(self, services: "EntityServices", outcomes: list[EntityOutcome]) -> None:
        self._services = services
        self._outcomes = outcomes

    def waiting(self) -> int:
        """How many have not ended, or have not told of it."""
        return sum(1 for outcome in self._outcomes if not outcome.settled(self._services.now()))

    def refresh(self) -> None:
        """Look again, and queue what waited for the end of another."""
        now = self._services.now()
        by_id = {outcome.export_id: outcome for outcome in self._outcomes if not outcome.settled(now)}
        for document in self._services.jobs.statuses(list(by_id)):
            by_id[document["id"]].document = document
        queue_repeats(self._services, self._outcomes)

    def table(self) -> "Table":
        """How they stand."""
        return live_table(self._outcomes)

    def done(self, seconds: float) -> str:
        """What to say once all have ended."""
        rows = sum(outcome.result.get("record_count", 0) for outcome in self._outcomes)
        return f"{len(self._outcomes)} entity exports, {rows:,} rows ({seconds:.1f} s)"


def collect_files(outcomes: Sequence[EntityOutcome], folder: Path) -> None:
    """Fetch each file through its link, as the user would, parts included; one whose checksum is wrong is not kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, outcome in enumerate(outcomes, start=1):
        for file in outcome.files:
            name = _UUID.sub("", Path(str(file["file_name"])).name)
            try:
                outcome.paths.append(_fetch(file, folder / f"{number:02d}_{name}"))
            except CdpError as exc:
                output.note(f"{outcome.spec.title}: {exc}")


def _fetch(file: Mapping[str, Any], path: Path) -> Path:
    from cdp_pipelines.cli.export_download import link_bytes, write_whole

    write_whole(link_bytes(file["url"]), path, size_bytes=file["size_bytes"], sha256=file["sha256"])
    return path


def collect_notices(outcomes: Sequence[EntityOutcome], *, maildir: Path, api_records: Path) -> None:
    """Find the mails and the webhooks about each."""
    from cdp_pipelines.local.api_records import HOOKS, read_requests
    from cdp_pipelines.local.mailbox_reader import read_mailbox

    by_id = {outcome.export_id: outcome for outcome in outcomes}
    for mail in read_mailbox(maildir):
        outcome = by_id.get(str(mail.message.get("X-Request-ID", "")))
        if outcome is not None:
            outcome.subjects.append(mail.subject)
    for request in read_requests(api_records):
        outcome = by_id.get(request.headers.get("x-request-id", ""))
        if outcome is not None and request.path.startswith(f"{HOOKS}/"):
            outcome.webhooks.append(request)
