"""Waiting for something to become true, with a deadline. The only way in which tests wait."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(what: str, get: Callable[[], T | None], *, seconds: float = 30.0, every: float = 0.05) -> T:
    """Ask until `get` gives something true, and return that; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := get()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:.0f} s in vain for {what}; the last answer was {found!r}.")
        time.sleep(every)
    return found
