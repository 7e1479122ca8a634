"""How long one tick of a sensor may work: Dagster ends one that takes longer than its call to the code server may.

What a tick has begun with it finishes; what is left waits for the next.
"""

import time
from collections.abc import Callable
from typing import Final

TICK_SECONDS: Final = 40.0
"""Well under the 60 s after which Dagster gives a tick up, so that what is under way then can be finished."""


class Budget:
    """The time that one tick has; it begins when it is made."""

    def __init__(self, seconds: float = TICK_SECONDS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """How many seconds are left; 0 when it is spent."""
        return max(0.0, self._end - self._clock())

    def spent(self) -> bool:
        """Whether nothing new may be begun."""
        return self.left() <= 0.0

    def part(self, seconds: float) -> "Budget":
        """At most so much of what is left, for one piece of the work."""
        return Budget(min(seconds, self.left()), clock=self._clock)
