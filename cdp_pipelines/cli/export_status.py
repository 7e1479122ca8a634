"""Showing an export: that it is queued, once, or when it has ended."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import OK
from cdp_pipelines.cli.export_watch import wait_for_end

if TYPE_CHECKING:
    from cdp_pipelines.cli.export_kinds import Exports


def show_queued(job_id: str, status: str, warnings: Sequence[str], *, as_json: bool) -> int:
    """Say that a request is in the queue; returns the exit code."""
    if as_json:
        output.print_json({"job_id": job_id, "status": status, "warnings": list(warnings)})
        return OK
    output.print_line(f"Queued as {job_id}.")
    for warning in warnings:
        output.print_line(f"Note: {warning}")
    output.note(f"Watch it with: cdp export status {job_id} --watch")
    return OK


def show(exports: "Exports", document: dict[str, Any], *, as_json: bool) -> None:
    """The export as JSON, or as lines."""
    if as_json:
        output.print_json(exports.facts(document))
        return
    for line in exports.lines(document):
        output.print_line(line)


def show_end(exports: "Exports", job_id: str, seconds: float, *, as_json: bool) -> int:
    """Wait for the end, show it, and return the exit code that says how it was."""
    document = wait_for_end(exports, job_id, timeout_seconds=seconds)
    show(exports, document, as_json=as_json)
    return exports.exit_code(document)
