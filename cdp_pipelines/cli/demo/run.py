"""The demo's exports: data in, requests into the queue, and everything looked at afterwards.

Belongs here: the order of things. Not here: showing (`view.py`), waiting (`watching.py`), starting and stopping
processes (`demo_command.py`), migrations (`migrations.py`).
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from cdp_pipelines.cli import output
from cdp_pipelines.cli.demo.outcome import DemoOutcome
from cdp_pipelines.cli.demo.view import live_table
from cdp_pipelines.domain.errors import CdpError

if TYPE_CHECKING:
    from rich.table import Table

    from cdp_pipelines.pipelines.contact_export.services import ExportServices


def load_data(services: "ExportServices", *, scale: float) -> None:
    """Bring the demo companies into the database, with a bar for each."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from cdp_pipelines.local.demo_companies import COMPANIES
    from cdp_pipelines.local.demo_data import load_demo_data

    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.stderr(), transient=True) as progress:
        tasks = {c.name: progress.add_task(c.name, total=c.contact_count(scale)) for c in COMPANIES}
        summary = load_demo_data(
            services.database, scale=scale, on_progress=lambda name, done: progress.update(tasks[name], completed=done)
        )
    unchanged = all(company.action == "unchanged" for company in summary.companies)
    what = "was there already" if unchanged else "loaded"
    companies = f"{summary.contacts:,} contacts of {len(summary.companies)} companies"
    output.stderr().print(f"✔ Demo data {what}: {companies} ({summary.seconds:.1f} s)", style="green")


def clear_the_way(services: "ExportServices") -> None:
    """End what an interrupted demo left in the queue, and forget its exports of the last hour.

    The demo shows the rate limit, so every run of it must begin with an unused hour. These are the demo's own
    companies on local servers; nobody else's limit is touched.
    """
    from cdp_pipelines.domain.contact_export.delivery import OPEN_STATUSES
    from cdp_pipelines.local.demo_companies import COMPANIES
    from cdp_pipelines.stores.errors import translating

    companies = [company.company_sso_id for company in COMPANIES]
    with translating("making room for the demo"):
        jobs = services.database["bulk_upload_jobs"]
        left = list(jobs.find({"company_sso_id": {"$in": companies}, "status": {"$in": list(OPEN_STATUSES)}}))
        for job in left:
            services.jobs.end(str(job.get("job_id")), job["company_sso_id"], "canceled", now=services.now())
        keys = [f"contact_export:{company}" for company in companies]
        services.database["rate_limits"].delete_many({"_id": {"$in": keys}})


def queue_requests(services: "ExportServices", *, scale: float) -> list[DemoOutcome]:
    """Put the demo's requests into the queue as others do: as documents."""
    from cdp_pipelines.local.demo_requests import demo_requests

    specs = demo_requests(now=services.now(), scale=scale)
    for spec in specs:
        services.jobs.insert(spec.document)
    return [DemoOutcome(spec, spec.document) for spec in specs]


class ExportsPart:
    """The exports in the demo's live display."""

    def __init__(self, services: "ExportServices", outcomes: list[DemoOutcome]) -> None:
        self._services = services
        self._outcomes = outcomes

    def waiting(self) -> int:
        """How many have not ended."""
        return sum(1 for outcome in self._outcomes if not outcome.ended)

    def refresh(self) -> None:
        """Look again."""
        by_id = {outcome.spec.document["job_id"]: outcome for outcome in self._outcomes}
        for document in self._services.jobs.statuses(list(by_id)):
            by_id[document["job_id"]].document = document

    def table(self) -> "Table":
        """How they stand."""
        return live_table(self._outcomes)

    def done(self, seconds: float) -> str:
        """What to say once all have ended."""
        return f"{len(self._outcomes)} requests from the queue to the inbox ({seconds:.1f} s)"


def collect_files(services: "ExportServices", outcomes: list[DemoOutcome], folder: Path) -> None:
    """Fetch each finished file through its link, as the user would; older files of the demo go."""
    from cdp_pipelines.cli.export_download import download

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, outcome in enumerate(outcomes, start=1):
        if not outcome.result.get("key"):
            continue
        path = folder / f"{number:02d}_{Path(str(outcome.result['file_name'])).name}"
        try:
            download(services, dict(outcome.document), path, via="link")
            outcome.path = path
        except CdpError as exc:
            output.note(f"{outcome.spec.title}: {exc}")


def collect_mails(outcomes: list[DemoOutcome], maildir: Path) -> None:
    """Find the mails about each request."""
    from cdp_pipelines.local.mailbox_reader import read_mailbox

    subjects: dict[str, list[str]] = {}
    for mail in read_mailbox(maildir):
        subjects.setdefault(str(mail.message.get("X-Request-ID", "")), []).append(mail.subject)
    for outcome in outcomes:
        outcome.subjects = subjects.get(outcome.spec.document["job_id"], [])
