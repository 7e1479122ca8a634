"""How a refusal of the admission is shown: code, message and what is allowed instead."""

from typing import TYPE_CHECKING, Any

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import REFUSED

if TYPE_CHECKING:
    from cdp_pipelines.domain.admission import Rejected


def show_refusal(rejected: "Rejected", *, as_json: bool) -> int:
    """Show it; returns the exit code of the command."""
    if as_json:
        output.print_json({"error": rejected.as_document()})
    console = output.stderr()
    console.print(f"✘ {rejected.code} ({rejected.http_status}): {rejected.message}", style="bold red", soft_wrap=True)
    for name, value in rejected.details.items():
        for line in _detail_lines(name, value, rejected.message):
            console.print(f"  {line}", soft_wrap=True)
    return REFUSED


def _detail_lines(name: str, value: Any, message: str) -> list[str]:
    if name == "problems":
        return [f"{problem['field']} {problem['problem']}" for problem in value]
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    # Many messages name what is allowed themselves.
    is_said = isinstance(value, list) and text in message
    return [] if is_said else [f"{name.replace('_', ' ')}: {text}"]
