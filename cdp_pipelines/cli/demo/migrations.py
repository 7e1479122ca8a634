"""The demo's migrations: CRM rows in, a start for every demo company into the queue, and what came of it.

Belongs here: the order of things. Not here: what is expected (`migration_outcome.py`), showing (`migration_view.py`).
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.demo.migration_outcome import EXPECTED, MigrationOutcome
from cdp_pipelines.cli.demo.migration_view import MOST_LINES, Timeline, live_table
from cdp_pipelines.cli.migration_ask import AskedMigration, request_document
from cdp_pipelines.cli.migration_queries import failed_reasons
from cdp_pipelines.cli.migration_watch import Watched
from cdp_pipelines.local.demo_companies import COMPANIES, SMALL

if TYPE_CHECKING:
    from rich.table import Table

    from cdp_pipelines.pipelines.migrations.services import MigrationServices

Document = dict[str, Any]

_FEW: Final = 4
"""So many lines of the live feed leave room for the history below them."""


def clear_the_way(services: "MigrationServices") -> None:
    """End what an interrupted demo left in the queue and at work; called while no daemon of the demo runs."""
    from cdp_pipelines.cli.migration_queries import open_requests
    from cdp_pipelines.domain.migrations import CANCELED

    for company in COMPANIES:
        key = company.company_sso_id
        for request in open_requests(services, key):
            services.requests.end(request["_id"], key, CANCELED, now=services.now())
        job = services.jobs.active(key)
        owner = ((job or {}).get("lease") or {}).get("owner_run_id")
        if job is not None:
            owned = services.jobs.reopen(job, "demo", {}, now=services.now(), take_over_from=owner)
            if owned is not None:
                services.jobs.end(owned, CANCELED, now=services.now())


def load_crm(services: "MigrationServices", *, scale: float) -> None:
    """Bring the demo CRM into PostgreSQL. Where it was written anew, documents migrated from an earlier one go."""
    from cdp_pipelines.local.demo_crm import load_demo_crm

    console = output.stderr()
    with console.status("Loading the demo CRM …") as status:
        summary = load_demo_crm(
            os.environ["CRM_AUDIT_DATABASE_URL"],
            services.database,
            scale=scale,
            # The same server answers for the CRM and holds its files.
            files_root_url=os.environ["CRM_API_ROOT_URL"],
            on_progress=lambda name, done: status.update(f"Loading the demo CRM … {done:,} audits of {name}"),
        )
        anew = [company for company in summary.companies if company.action == "loaded"]
        _forget_migrated(services, [company.company_sso_id for company in anew])
    what = "loaded" if anew else "was there already"
    rows = f"{summary.audits:,} audits and {summary.notes:,} notes of {len(summary.companies)} companies"
    console.print(f"✔ Demo CRM {what}: {rows} ({summary.seconds:.1f} s)", style="green")


def _forget_migrated(services: "MigrationServices", company_sso_ids: Sequence[str]) -> None:
    """Delete what stands for rows that are no more; in a rollback's batches that takes the local server minutes.

    Files of notes stay: the same note has the same file under the same key, and gets it anew.
    """
    from cdp_pipelines.domain.activity_logs.audits import SOURCE
    from cdp_pipelines.stores.errors import translating

    with translating("deleting migrated documents"):
        for key in company_sso_ids:
            services.database["activity_logs"].delete_many({"company_sso_id": key, "source_tag": SOURCE})
            migrated = {"company_sso_id": key, "legacy_crm_note_id": {"$exists": True}}
            services.database["contact_notes"].delete_many(migrated)


def queue_starts(services: "MigrationServices") -> list[MigrationOutcome]:
    """Put a start for every demo company into the queue as others do: as documents.

    A company that an earlier demo migrated, or left half-way, is gone over again.
    """
    from cdp_pipelines.domain.companies import company_from_document

    found = []
    for company in COMPANIES:
        again = services.jobs.latest(company.company_sso_id) is not None
        document = request_document(
            services.kind.kind,
            "start",
            company.company_sso_id,
            requested_by="cdp-demo",
            now=services.now(),
            options=AskedMigration(force=again).options(),
        )
        services.requests.insert(document)
        watched = Watched(company_from_document(company.document()), document)
        found.append(MigrationOutcome(EXPECTED[services.kind.kind][company.slug], watched))
    return found


class MigrationsPart:
    """The migrations in the demo's live display."""

    def __init__(self, services: "MigrationServices", found: Sequence[MigrationOutcome]) -> None:
        self._services = services
        self._found = found

    def waiting(self) -> int:
        """How many have not ended."""
        return sum(1 for outcome in self._found if not outcome.watched.ended)

    def refresh(self) -> None:
        """Look again at those."""
        for outcome in self._found:
            if not outcome.watched.ended:
                outcome.watched.refresh(self._services)

    def table(self) -> "Table":
        """How they stand."""
        return live_table(self._services.kind.title, self._found)

    def done(self, seconds: float) -> str:
        """What to say once all have ended."""
        rows = sum(int(outcome.job.get("records_processed") or 0) for outcome in self._found)
        return f"{len(self._found)} companies, {rows:,} {self._services.kind.rows} from the CRM ({seconds:.1f} s)"


def count_failures(services: "MigrationServices", found: Sequence[MigrationOutcome]) -> None:
    """Look up why rows failed, once all have ended."""
    for outcome in found:
        outcome.failed_reasons = failed_reasons(services, outcome.job) if outcome.job else {}


def timeline_before(services: "MigrationServices") -> Timeline | None:
    """A customer of the small company as the live feed alone shows them; None if it wrote of nobody."""
    from cdp_pipelines.stores.errors import translating

    native = {"company_sso_id": SMALL.company_sso_id, "external_id": None}
    with translating("reading activity logs"):
        logs = services.database["activity_logs"]
        counts = Counter(found["customer_id"] for found in logs.find(native, {"customer_id": 1}))
        if not counts:
            return None
        customer = min(counts, key=lambda key: (abs(counts[key] - _FEW), key))
        scope = {**native, "customer_id": customer}
        before = list(logs.find(scope).sort("timestamp", -1).limit(MOST_LINES))
    return Timeline(SMALL.name, customer, before, counts[customer])


def timeline_after(services: "MigrationServices", timeline: Timeline | None) -> Timeline | None:
    """The same customer's timeline as it is now."""
    from cdp_pipelines.stores.errors import translating

    if timeline is None:
        return None
    scope = {"company_sso_id": SMALL.company_sso_id, "customer_id": timeline.customer_id}
    with translating("reading activity logs"):
        logs = services.database["activity_logs"]
        after = list(logs.find(scope).sort("timestamp", -1).limit(MOST_LINES))
        return replace(timeline, after=after, total_after=logs.count_documents(scope))
