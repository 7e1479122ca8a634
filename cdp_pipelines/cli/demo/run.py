"""The demo itself: data in, requests into the queue, a real daemon at work, everything looked at afterwards.

Belongs here: the order of things. Not here: showing (`view.py`), starting and stopping processes (`demo_command.py`).
"""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.demo.outcome import DemoOutcome
from cdp_pipelines.cli.demo.view import live_table
from cdp_pipelines.domain.errors import CdpError, TransientFailure

if TYPE_CHECKING:
    from cdp_pipelines.cli.demo.dagster_processes import DagsterProcesses
    from cdp_pipelines.pipelines.contact_export.services import ExportServices

_POLL_SECONDS: Final = 0.5


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


def watch(
    services: "ExportServices", outcomes: list[DemoOutcome], dagster: "DagsterProcesses", *, timeout_seconds: float
) -> None:
    """Show the requests' statuses until all are terminal.

    Raises:
        TransientFailure: `DEMO_TIMED_OUT`, or `DAEMON_ENDED`.
    """
    from rich.live import Live

    begun = time.monotonic()
    console = output.stderr()
    # Not transient: should it end badly, what stood in the table is what one wants to see.
    with Live(live_table(outcomes), console=console, refresh_per_second=4) as live:
        while waiting := sum(1 for outcome in outcomes if not outcome.ended):
            _require_progress(dagster, waiting, begun + timeout_seconds)
            time.sleep(_POLL_SECONDS)
            _refresh(services, outcomes)
            live.update(live_table(outcomes))
    seconds = time.monotonic() - begun
    console.print(f"✔ {len(outcomes)} requests from the queue to the inbox ({seconds:.1f} s)", style="green")


def _require_progress(dagster: "DagsterProcesses", waiting: int, deadline: float) -> None:
    log = dagster.log_path("daemon")
    if not dagster.is_running("daemon"):
        raise TransientFailure("DAEMON_ENDED", f"The daemon ended by itself. Its log: {log}")
    if time.monotonic() > deadline:
        raise TransientFailure("DEMO_TIMED_OUT", f"{waiting} requests did not end in time. The daemon's log: {log}")


def _refresh(services: "ExportServices", outcomes: list[DemoOutcome]) -> None:
    by_id = {outcome.spec.document["job_id"]: outcome for outcome in outcomes}
    for document in services.jobs.statuses(list(by_id)):
        by_id[document["job_id"]].document = document


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
