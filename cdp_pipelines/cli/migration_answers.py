"""What a person sees of having asked: refusals and queued requests, and the end of what was queued if they wait.

Belongs here: confirming, showing answers, the exit code. Not here: judging and queueing (`migration_ask.py`).
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import OK, REFUSED, Refused
from cdp_pipelines.cli.migration_ask import Answer
from cdp_pipelines.cli.migration_kinds import KnownMigration
from cdp_pipelines.cli.migration_status import print_states, state_of_watched
from cdp_pipelines.cli.migration_view import percent_text, state_facts
from cdp_pipelines.cli.migration_watch import Watched, exit_code_of, watch_to_end
from cdp_pipelines.domain.migrations import COMPLETED_WITH_ERRORS

if TYPE_CHECKING:
    from cdp_pipelines.domain.companies import Company
    from cdp_pipelines.pipelines.migrations.services import MigrationServices


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to happen after asking. Companies refused with a code in `left_out` are not counted as refused."""

    left_out: Sequence[str] = ()
    watch: bool = False
    timeout_seconds: float | None = None
    as_json: bool = False


def confirmation(migration: KnownMigration, company: "Company", given: Sequence[str]) -> str:
    """The company's key as the person gave it to confirm a rollback; asked for on a terminal.

    Raises:
        Refused: `CONFIRMATION_REQUIRED`, it is missing or another's.
    """
    key = company.company_sso_id
    named = f"{company.name} ({key})" if company.name else key
    text = key if key in given else ""
    if not given and sys.stdin.isatty():
        import typer

        output.note(f"This deletes what the {migration.kind.title} wrote for {named}, and nothing else.")
        text = typer.prompt("To confirm, type the company's key", err=True).strip()
    if text != key:
        raise Refused(
            "CONFIRMATION_REQUIRED",
            f"A rollback deletes what the {migration.kind.title} wrote for {named}. To confirm: --confirm {key}",
        )
    return text


def conclude(
    services: "MigrationServices", migration: KnownMigration, answers: Sequence[Answer], wanted: Wanted
) -> int:
    """Show what came of asking, watch what was queued if that is wanted; returns the exit code."""
    queued = [answer for answer in answers if answer.rejected is None]
    left_out = [answer for answer in answers if answer.rejected and answer.rejected.code in wanted.left_out]
    rejected = [answer for answer in answers if answer.rejected and answer.rejected.code not in wanted.left_out]
    if not wanted.as_json:
        _show(migration, queued, rejected, left_out)
    code = REFUSED if rejected else OK
    facts: dict[str, Any] = {
        "requests": [answer.facts() for answer in queued],
        "rejected": [answer.facts() for answer in rejected],
        "left_out": [answer.facts() for answer in left_out],
    }
    if rejected and rejected[0].rejected:
        facts["error"] = rejected[0].rejected.as_document()
    if wanted.watch and queued:
        watched = [Watched(answer.company, answer.document) for answer in queued]
        watch_to_end(services, watched, timeout_seconds=wanted.timeout_seconds)
        code = exit_code_of([one.status for one in watched]) or code
        states = [state_of_watched(services, one) for one in watched]
        facts["ended"] = [state_facts(state) for state in states]
        if not wanted.as_json:
            print_states(states)
    elif queued and not wanted.as_json:
        output.note(f"Watch it with: cdp migrate watch {migration.name} --request {queued[0].document['_id']}")
    if wanted.as_json:
        output.print_json(facts)
    return code


def _show(
    migration: KnownMigration, queued: Sequence[Answer], rejected: Sequence[Answer], left_out: Sequence[Answer]
) -> None:
    for answer in queued:
        output.print_line(f"Queued as {answer.document['_id']}: {_named(answer)}.")
        if answer.goes_on_from == COMPLETED_WITH_ERRORS:
            output.note("It takes up failed and new rows only. --force goes over everything again.")
        elif answer.goes_on_from:
            output.note(f"It takes the failed rows first, then goes on: its last job is {answer.goes_on_from}.")
        if answer.coverage_code:
            output.note(f"Its coverage could not be measured from here ({answer.coverage_code}); its run measures it.")
        elif answer.coverage_pct is not None:
            output.note(f"{percent_text(answer.coverage_pct)} of its CRM people have a contact.")
    console = output.stderr()
    for answer in rejected:
        refusal = answer.rejected
        if refusal is not None:
            text = f"✘ {refusal.code} ({refusal.http_status}): {_named(answer)}: {refusal.message}"
            console.print(text, style="bold red", soft_wrap=True)
    if left_out:
        codes = sorted({answer.rejected.code for answer in left_out if answer.rejected})
        output.note(f"Left out: {len(left_out):,} companies ({', '.join(codes)}).")
    if not queued and not rejected:
        output.note(f"There is no company left for the {migration.kind.title}.")


def _named(answer: Answer) -> str:
    company = answer.company
    return f"{company.company_sso_id} {company.name}".rstrip()
