"""The reader of `audits.audited_changes`: YAML as Rails has written it over the years, or JSON (SPEC 5.2).

Belongs here: which reader a text goes to, and the error. The common shapes are read line by line (`yaml_fast.py`), all
others from libyaml's events (`yaml_events.py`), with the same results. Nothing named in a text is ever built.
"""

from collections.abc import Mapping
from contextlib import suppress
from json import JSONDecodeError
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.yaml_events import read_events
from cdp_pipelines.domain.activity_logs.yaml_fast import read_fast
from cdp_pipelines.domain.activity_logs.yaml_json import plain_data, read_json
from cdp_pipelines.domain.activity_logs.yaml_limits import LONGEST_TEXT, Refused, Tally
from cdp_pipelines.domain.activity_logs.yaml_shapes import Uncommon
from cdp_pipelines.domain.errors import PermanentFailure

UNREADABLE_CHANGES: Final = "unreadable_changes"


class UnreadableChanges(PermanentFailure):
    """The changes of an audit cannot be read; the message says why and in which line, never what stands there."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        where = "" if line is None else f", line {line}"
        super().__init__(
            UNREADABLE_CHANGES, f"audited_changes: {reason}{where}", details={"line": line} if line else {}
        )
        self.line = line


def read_audited_changes(text: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """`{attribute: value}`, in the order of the text; of a key that comes twice the last value counts.

    Args:
        text: YAML or JSON text, or the mapping that a driver makes of a `jsonb` column.

    Values are None, bool, int of any size, float, str, list and dict with str keys. Decimals are str such as `10.5`,
    days `YYYY-MM-DD`, instants `YYYY-MM-DDTHH:MM:SS.ffffffZ` in UTC, symbols their name, sets lists. Binary texts that
    are no UTF-8 are read as Latin-1; objects of Ruby's become their plain fields. A nil document has no changes.

    Raises:
        UnreadableChanges: not YAML or JSON, not one mapping, or beyond the bounds of `yaml_limits.py`.
    """
    if type(text) is str:
        try:
            return read_fast(text)
        except Uncommon:
            pass
    return _read_any(text, Tally())


def read_counted(text: str | Mapping[str, Any] | None) -> tuple[dict[str, Any], int]:
    """The same, and how many of its binary texts were read as Latin-1."""
    if type(text) is str:
        try:
            return read_fast(text), 0
        except Uncommon:
            pass
    tally = Tally()
    return _read_any(text, tally), tally.latin1


def _read_any(text: Any, tally: Tally) -> dict[str, Any]:
    try:
        value = plain_data(text) if isinstance(text, Mapping) else read_full(text, tally)
    except Refused as exc:
        # Without the cause: a parser's own message may quote the text.
        raise UnreadableChanges(exc.reason, exc.line) from None
    if not isinstance(value, dict):
        raise UnreadableChanges(f"not a mapping of attributes but {_KINDS.get(type(value), 'a single value')}")
    return value


def read_full(text: Any, tally: Tally | None = None) -> Any:
    """The value of any text without the fast path; of nil, as Psych dumps it, no changes.

    Raises:
        Refused: it cannot be read.
    """
    if not isinstance(text, str):
        raise Refused("missing" if text is None else f"not a text but {type(text).__name__}")
    if len(text) > LONGEST_TEXT:
        raise Refused(f"longer than {LONGEST_TEXT:,} characters")
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise Refused("empty")
    if text.lstrip()[:1] == "{":
        with suppress(JSONDecodeError):
            return read_json(text)
    value = read_events(text, tally=tally)
    return {} if value is None else value


_KINDS: Final[dict[type, str]] = {list: "a list"}
