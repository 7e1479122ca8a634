"""How migrations are shown, to people and as JSON.

Belongs here: choosing and writing facts of job and request documents; figures, codes and ids only. Not here: reading
them (`migration_queries.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.domain.migrations import FULL_PERCENT, IN_PROGRESS, NOT_STARTED
from cdp_pipelines.domain.outcomes import DEGRADED

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from cdp_pipelines.domain.companies import Company

Document = Mapping[str, Any]

STATUS_STYLES: Final = {
    "completed": "green",
    "completed_success": "green",
    "completed_with_errors": "yellow",
    "halted": "bold red",
    "failed": "bold red",
    "rejected": "red",
    "canceled": "magenta",
    "rolled_back": "magenta",
    "in_progress": "cyan",
    "processing": "cyan",
    NOT_STARTED: "dim",
}

_FACTS: Final = (
    "phase", "dry_run", "progress_pct", "records_total", "records_processed", "records_migrated", "records_skipped",
    "records_failed", "failure_rate", "coverage_pct", "match_pct", "accuracy_pct", "validation",
    "records_rolled_back", "notes", "starts", "taken_up",
    "requested_by", "request_id", "run_id", "error", "cancel_requested", "created_at", "started_at",
    "updated_at", "ended_at",
)  # fmt: skip
_COMPARED: Final = (
    "source", "skipped_by_rule", "eligible", "identical", "changed_since", "different", "missing", "extra", "degraded",
    "mended", "not_in_live_feed",
)  # fmt: skip
_REQUEST_FACTS: Final = (
    "action", "status", "options", "requested_by", "cancel_requested", "run_id", "error", "result", "created_at",
    "updated_at", "ended_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CompanyState:
    """What is known of one company's migration. `failed_reasons` are the job's failed rows by reason."""

    company: "Company"
    job: Document | None = None
    failed_reasons: Mapping[str, int] = field(default_factory=dict)
    request: Document | None = None

    @property
    def status(self) -> str:
        """The job's status; `not_started` where there is none."""
        return str(self.job.get("status")) if self.job else NOT_STARTED


def state_facts(state: CompanyState, *, shards: bool = False) -> dict[str, Any]:
    """What `--json` prints of a company; facts that its job does not have are null."""
    job = state.job or {}
    facts: dict[str, Any] = {
        "company_sso_id": state.company.company_sso_id,
        "company_name": state.company.name,
        "status": state.status,
        "job_id": job.get("_id"),
    }
    facts |= {name: job.get(name) for name in _FACTS}
    facts["failed_reasons"] = dict(state.failed_reasons)
    found = job.get("reconciliation") or {}
    facts["reconciliation"] = {name: found.get(name) for name in _COMPARED} if found else None
    facts["enrichment"] = (job.get("enrichment") or {}).get("counts")
    if shards:
        facts["shards"] = dict(job.get("shards") or {})
    if state.request is not None:
        facts["request"] = request_facts(state.request)
    return facts


def request_facts(request: Document) -> dict[str, Any]:
    """What `--json` prints of a request."""
    return {"request_id": str(request.get("_id")), **{name: request.get(name) for name in _REQUEST_FACTS}}


def state_lines(state: CompanyState) -> list[str]:
    """A company's migration as lines of `name  value`; what is empty is left out. The outcomes follow it."""
    job = state.job or {}
    shown = [
        ("company", f"{state.company.company_sso_id}  {state.company.name}".rstrip()),
        ("status", f"{state.status} (dry run)" if job.get("dry_run") else state.status),
        ("error", error_text(job)),
        ("phase", str(job.get("phase") or "") if state.status == IN_PROGRESS else ""),
        ("progress", progress_text(job) if job else ""),
        ("failure rate", _rate_text(job.get("failure_rate"))),
        ("taken up", taken_up_text(job)),
        ("match", _match_text(job)),
        ("accuracy", percent_text(job.get("accuracy_pct"))),
        ("changed since", _since_text(job)),
        ("extra", _count_text((job.get("reconciliation") or {}).get("extra") or None)),
        ("without author", _degraded_text(job)),
        ("no live record", _unfed_text(job)),
        ("validation", str((job.get("validation") or {}).get("code") or "")),
        ("coverage", _coverage_text(job)),
        ("rolled back", _count_text(job.get("records_rolled_back"))),
        ("cancel requested", "yes" if job.get("cancel_requested") else ""),
        ("job", str(job.get("_id") or "")),
        ("started", output.instant_text(job.get("started_at"))),
        ("ended", output.instant_text(job.get("ended_at"))),
        ("starts", str(job["starts"]) if int(job.get("starts") or 1) > 1 else ""),
        ("requested by", str(job.get("requested_by") or "")),
        ("run", str(job.get("run_id") or "")),
    ]
    return [f"{name:<16} {value}" for name, value in shown if value] + (outcome_lines(state) if job else [])


def request_lines(request: Document) -> list[str]:
    """A request as lines of `name  value`."""
    options = ", ".join(f"{name} {value}" for name, value in (request.get("options") or {}).items() if value)
    shown = [
        ("request", str(request.get("_id"))),
        ("asked for", f"{request.get('action')}{f' ({options})' if options else ''}"),
        ("request status", str(request.get("status"))),
        ("error", error_text(request)),
        ("cancel requested", "yes" if request.get("cancel_requested") else ""),
        ("asked at", output.instant_text(request.get("created_at"))),
    ]
    return [f"{name:<16} {value}" for name, value in shown if value]


def outcomes(job: Document, failed_reasons: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """`(outcome, reason, rows)`; together they are the processed rows."""
    rows = [("migrated", "", int(job.get("records_migrated") or 0))]
    rows += [("skipped", reason, int(number)) for reason, number in sorted((job.get("records_skipped") or {}).items())]
    return rows + [("failed", reason, number) for reason, number in failed_reasons.items()]


def outcome_lines(state: CompanyState) -> list[str]:
    """The rows by outcome and reason, then what was noticed beside."""
    job = state.job or {}
    found = outcomes(job, state.failed_reasons)
    lines = [f"  {outcome:<9} {reason:<24} {number:>12,}" for outcome, reason, number in found]
    lines.append(f"  {'= processed':<34} {int(job.get('records_processed') or 0):>12,}")
    lines += [f"  {'note':<9} {name:<24} {number:>12,}" for name, number in sorted((job.get("notes") or {}).items())]
    counts = (job.get("enrichment") or {}).get("counts") or {}
    return lines + [f"  {'enrich':<9} {name:<24} {number:>12,}" for name, number in sorted(counts.items())]


def states_table(states: Sequence[CompanyState]) -> "Table":
    """Companies in rows, in the order given."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    numbers = ("processed", "migrated", "skipped", "failed", "match", "coverage")
    for name in ("company", "name", "status", *numbers, "error"):
        table.add_column(name, overflow="fold", justify="right" if name in numbers else "left")
    for state in states:
        job = state.job or {}
        table.add_row(
            state.company.company_sso_id,
            state.company.name,
            status_text(state.status),
            _count_text(job.get("records_processed")),
            _count_text(job.get("records_migrated")),
            _count_text(sum((job.get("records_skipped") or {}).values()) if job else None),
            _count_text(job.get("records_failed")),
            percent_text(job.get("match_pct")),
            percent_text(job.get("coverage_pct")),
            str((job.get("error") or {}).get("code") or ""),
        )
    return table


def shards_table(job: Document, cursor: str) -> "Table":
    """A job's shards: their ranges of ids, how far each is, its counts."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("shard", "ids above", "up to", "at", "processed", "migrated", "skipped", "failed", ""):
        table.add_column(name, justify="left" if name in ("shard", "") else "right")
    shards = job.get("shards") or {}
    for name in sorted(shards, key=_shard_number):
        shard = shards[name]
        edges = [str(shard.get(edge, "")) for edge in ("after", "to", cursor)]
        counts = [f"{int(shard.get(count) or 0):,}" for count in ("processed", "migrated", "skipped", "failed")]
        table.add_row(name, *edges, *counts, "done" if shard.get("done") else "")
    return table


def _shard_number(name: str) -> tuple[int, str]:
    digits = name.rpartition("_")[2]
    return (int(digits) if digits.isdigit() else 0, name)


def status_text(status: str) -> "Text":
    """The status in its colour."""
    from rich.text import Text

    return Text(status, style=STATUS_STYLES.get(status, ""))


def progress_text(job: Document) -> str:
    """`45.20 % (1,130 of 2,500)`; of a job that has not looked over the source, how many rows it counted."""
    processed, total = int(job.get("records_processed") or 0), int(job.get("records_total") or 0)
    share = percent_text(job.get("progress_pct")) or "0.00 %"
    return f"{share} ({processed:,} of {total:,})" if total else f"{processed:,} rows"


def error_text(document: Document) -> str:
    """`CODE: message` of a job's or request's error; empty without one."""
    error = document.get("error")
    return f"{error.get('code', '')}: {error.get('message', '')}" if isinstance(error, Mapping) else ""


def percent_text(value: object) -> str:
    """`99.63 %`; empty for anything that is not a number."""
    return f"{value:.2f} %" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def taken_up_text(job: Document) -> str:
    """What a start that went on with a job did first: `4 failed rows, 2 new ones; the others stayed as they were`."""
    told = job.get("taken_up")
    if not isinstance(told, Mapping) or "failed" not in told:
        return ""
    parts = [f"{int(told.get('failed') or 0):,} failed rows"]
    parts += [f"{int(told['new']):,} new ones"] if told.get("new") is not None else []
    parts += [f"{int(told['parts']):,} failed files"] if told.get("parts") else []
    parts += [f"{int(told['people']):,} rows without author"] if told.get("people") else []
    text = ", ".join(parts)
    return f"{text}; the others stayed as they were" if told.get("new") is not None else f"{text}, then went on"


def _match_text(job: Document) -> str:
    found = job.get("reconciliation") or {}
    if job.get("match_pct") is None and found.get("done") is True and not found.get("eligible"):
        return "nothing to compare"
    return percent_text(job.get("match_pct"))


def _since_text(job: Document) -> str:
    number = int((job.get("reconciliation") or {}).get("changed_since") or 0)
    return f"{number:,} (edited or deleted in the CDP since; they match)" if number else ""


def _degraded_text(job: Document) -> str:
    notes, found = job.get("notes") or {}, job.get("reconciliation") or {}
    listed = sum(int(notes.get(name, 0)) for name in DEGRADED)
    number = max(listed, int(found.get("degraded") or 0))
    return f"{number:,} (the launchpad was away; cdp migrate replay sets them right)" if number else ""


def _unfed_text(job: Document) -> str:
    number = int((job.get("reconciliation") or {}).get("not_in_live_feed") or 0)
    return f"{number:,} audits left to the live feed, which does not have them" if number else ""


def _rate_text(value: object) -> str:
    return percent_text(value * FULL_PERCENT) if isinstance(value, int | float) and value else ""


def _coverage_text(job: Document) -> str:
    share = percent_text(job.get("coverage_pct"))
    people = job.get("people")
    if not share and people == 0:
        return "nothing to compare: no people"
    return f"{share} ({int(job.get('covered') or 0):,} of {people:,} people)" if share and people else share


def _count_text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""
