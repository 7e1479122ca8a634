"""How much of an `audited_changes` text is read, and the refusal of what is beyond or broken.

Belongs here: bounds and their counting. Not here: the error that callers see (`audited_yaml.py`).
"""

from typing import Final

LONGEST_TEXT: Final = 1_048_576
"""Characters of a whole text."""
DEEPEST: Final = 50
"""Lists and mappings inside one another."""
MOST_NODES: Final = 100_000
"""Keys and values with every alias expanded; fifty characters weigh as much as one more of them."""
LONGEST_KEY: Final = 1_024
"""Characters of a key that is a list or a mapping: as texts inside texts they would double level by level."""

_CHARACTERS_A_NODE: Final = 50


class Refused(Exception):
    """A text that cannot be read: why, and in which line if known; never what it says."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class Tally:
    """What was read in a way that people should know of."""

    __slots__ = ("latin1",)

    def __init__(self) -> None:
        self.latin1 = 0
        """Binary texts that are no UTF-8, each read as Latin-1."""


class Budget:
    """Counts nodes, so that a small text cannot stand for an enormous value."""

    __slots__ = ("spent",)

    def __init__(self) -> None:
        self.spent = 0

    def spend(self, nodes: int, characters: int = 0) -> None:
        """Take so much from what is left.

        Raises:
            Refused: nothing is left.
        """
        self.spent += nodes + characters // _CHARACTERS_A_NODE
        if self.spent > MOST_NODES:
            raise Refused(f"more than {MOST_NODES:,} values, aliases expanded")


def check_depth(depth: int) -> None:
    """Refuse what is nested deeper than `DEEPEST`."""
    if depth > DEEPEST:
        raise Refused(f"nested more than {DEEPEST} levels deep")
