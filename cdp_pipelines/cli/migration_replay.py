"""`cdp migrate replay`: the quarantine shown, or run again in this process.

Belongs here: showing. Not here: what a replay does (each migration's own).
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.migration_kinds import KnownMigration
from cdp_pipelines.cli.migration_queries import quarantined
from cdp_pipelines.cli.migration_view import percent_text
from cdp_pipelines.cli.migration_watch import exit_code_of
from cdp_pipelines.domain.errors import PermanentFailure

if TYPE_CHECKING:
    from cdp_pipelines.domain.companies import Company
    from cdp_pipelines.pipelines.migrations.retaking import Retaken
    from cdp_pipelines.pipelines.migrations.services import MigrationServices

Document = dict[str, Any]

_REFUSALS: Final = ("NOT_MIGRATED", "JOB_ALREADY_RUNNING", "NOT_FINISHED")


def list_quarantine(
    services: "MigrationServices", companies: Sequence["Company"], *, evidence: bool, as_json: bool
) -> None:
    """Print the quarantined rows of the companies' last jobs: source id, reason, details, and evidence if asked."""
    rows = (row for company in companies for row in _rows(services, company, evidence=evidence))
    if as_json:
        output.print_json(list(rows))
        return
    number = 0
    for row in rows:
        number += 1
        output.print_line(f"{row['source_id']}\t{row['reason_code']}\t{row['details'] or ''}".rstrip())
        for name, value in (row.get("evidence") or {}).items():
            output.print_line(f"\t{name}: {value!r}")
    output.note(f"{number:,} quarantined rows." if number else "No quarantined rows.")


def _rows(services: "MigrationServices", company: "Company", *, evidence: bool) -> Iterator[Document]:
    job = services.jobs.latest(company.company_sso_id)
    if job is not None:
        for row in quarantined(services, job, evidence=evidence):
            yield {"company_sso_id": company.company_sso_id, **row}


def replay_companies(
    services: "MigrationServices", migration: KnownMigration, companies: Sequence["Company"], *, as_json: bool
) -> int:
    """Replay one company after the other and show what became of the rows; ends as their jobs stand then.

    Raises:
        Refused: `NOT_MIGRATED`, `NOT_FINISHED`, `JOB_ALREADY_RUNNING`.
    """
    results = []
    for company in companies:
        replayed = _replay(services, company)
        results.append({**_facts(company, replayed), "checks_evaluated": _check_again(migration, company)})
        if not as_json:
            for line in replayed_lines(company, replayed):
                output.print_line(line)
    if as_json:
        output.print_json(results)
    return exit_code_of([str(result["status"]) for result in results])


def _replay(services: "MigrationServices", company: "Company") -> "Retaken":
    key = company.company_sso_id
    job = services.jobs.latest(key)
    waiting = services.failures.count(job["_id"], key) if job else 0
    doing = f"Running {waiting:,} quarantined rows of {company.name or key} again, then comparing everything …"
    from cdp_pipelines.pipelines.migrations.replay import replay

    try:
        with output.stderr().status(doing):
            return replay(services, key, f"replay:{uuid.uuid4()}")
    except PermanentFailure as exc:
        if exc.code in _REFUSALS:
            raise Refused(exc.code, exc.message, details=exc.details) from exc
        raise


def _check_again(migration: KnownMigration, company: "Company") -> bool:
    """Have the stewards' checks say what is now; where Dagster is not reached, say who can."""
    with output.stderr().status("Evaluating the checks anew …"):
        done = bool(os.environ.get("DAGSTER_HOME")) and migration.check_again(company.company_sso_id)
    if not done:
        output.note(
            f"Dagster still shows the checks of {company.company_sso_id} as they were. "
            f"Run {migration.kind.checks_job} there."
        )
    return done


def replayed_lines(company: "Company", replayed: "Retaken") -> list[str]:
    """What became of the rows, and how the job stands."""
    job = replayed.job or {}
    shown = [
        ("company", f"{company.company_sso_id}  {company.name}".rstrip()),
        ("looked at", f"{replayed.looked_at:,}"),
        ("migrated", f"{replayed.migrated:,}"),
        ("skipped", f"{replayed.skipped:,}"),
        ("still failed", f"{replayed.still_failed:,}"),
        ("gone from the CRM", f"{replayed.gone:,}"),
        ("files looked at", f"{replayed.parts:,}" if replayed.parts else ""),
        ("files still failed", f"{replayed.parts_failed:,}" if replayed.parts else ""),
        ("authors looked up", f"{replayed.people_looked_at:,}" if replayed.people_looked_at else ""),
        ("authors set right", f"{replayed.people_mended:,}" if replayed.people_looked_at else ""),
        ("authors unknown", f"{replayed.people_unknown:,}" if replayed.people_unknown else ""),
        ("status", str(job.get("status") or "")),
        ("match", percent_text(job.get("match_pct"))),
    ]
    return [f"{name:<18} {value}" for name, value in shown if value]


def _facts(company: "Company", replayed: "Retaken") -> Document:
    job = replayed.job or {}
    return {
        "company_sso_id": company.company_sso_id,
        "looked_at": replayed.looked_at,
        "migrated": replayed.migrated,
        "skipped": replayed.skipped,
        "still_failed": replayed.still_failed,
        "gone": replayed.gone,
        "parts": replayed.parts,
        "parts_failed": replayed.parts_failed,
        "people_looked_at": replayed.people_looked_at,
        "people_mended": replayed.people_mended,
        "people_unknown": replayed.people_unknown,
        "job_id": job.get("_id"),
        "status": job.get("status"),
        "match_pct": job.get("match_pct"),
        "failure_rate": job.get("failure_rate"),
    }
