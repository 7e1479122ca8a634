"""The demo's progress on standard error: one line a step, with the seconds it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cdp_pipelines.cli import output


@contextmanager
def step(doing: str) -> Iterator[None]:
    """Say what is being done, and how long it took once it is."""
    console = output.stderr()
    begun = time.monotonic()
    with console.status(f"{doing} …"):
        yield
    console.print(f"✔ {doing} ({time.monotonic() - begun:.1f} s)", style="green")
