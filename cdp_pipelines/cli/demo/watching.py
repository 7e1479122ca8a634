"""Watching the demo's requests until all have ended: one live display over every kind of them.

Belongs here: the loop, its limit, and whether the daemon still runs. Not here: what a row shows (`view.py`,
`migration_view.py`).
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from cdp_pipelines.cli import output
from cdp_pipelines.domain.errors import TransientFailure

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from cdp_pipelines.cli.demo.dagster_processes import DagsterProcesses

POLL_SECONDS: Final = 0.5


class Part(Protocol):
    """Requests of one kind."""

    def waiting(self) -> int:
        """How many have not ended."""

    def refresh(self) -> None:
        """Look again at those."""

    def table(self) -> "Table":
        """How they stand."""

    def done(self, seconds: float) -> str:
        """What to say once none is waiting, `seconds` after they were queued."""


def watch(parts: Sequence[Part], dagster: "DagsterProcesses", *, timeout_seconds: float) -> None:
    """Show the parts until nothing is waiting; of each part its end is told once it comes.

    Raises:
        TransientFailure: `DEMO_TIMED_OUT`, or `DAEMON_ENDED`.
    """
    from rich.live import Live

    begun = time.monotonic()
    seconds: dict[int, float] = {}
    console = output.stderr()
    # Not transient: should it end badly, what stood in the tables is what one wants to see.
    with Live(_display(parts), console=console, refresh_per_second=4) as live:
        while waiting := sum(part.waiting() for part in parts):
            _require_progress(dagster, waiting, begun + timeout_seconds)
            time.sleep(POLL_SECONDS)
            for number, part in enumerate(parts):
                if part.waiting():
                    part.refresh()
                    seconds[number] = time.monotonic() - begun
            live.update(_display(parts))
    for number, part in enumerate(parts):
        console.print(f"✔ {part.done(seconds.get(number, 0.0))}", style="green")


def _display(parts: Sequence[Part]) -> "Group":
    from rich.console import Group
    from rich.text import Text

    return Group(*(item for part in parts for item in (part.table(), Text(""))))


def _require_progress(dagster: "DagsterProcesses", waiting: int, deadline: float) -> None:
    log = dagster.log_path("daemon")
    if not dagster.is_running("daemon"):
        raise TransientFailure("DAEMON_ENDED", f"The daemon ended by itself. Its log: {log}")
    if time.monotonic() > deadline:
        raise TransientFailure("DEMO_TIMED_OUT", f"{waiting} requests did not end in time. The daemon's log: {log}")
