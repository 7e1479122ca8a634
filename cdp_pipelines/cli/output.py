"""What `cdp` writes and where: results to standard output, everything else (progress, notes) to standard error.

Belongs here: consoles, JSON, and short texts for sizes and instants. Not here: what a command shows.
"""

import json
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_OF_PIPES: Final = 200
"""Rich assumes 80 columns where there is no terminal, which would break ids and file names in logs."""
_KILO: Final = 1_000
_CREDENTIALS: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^/\s@]*)@", re.IGNORECASE)


def stdout() -> "Console":
    """The console for results. Text is never read as markup, because it may hold anything."""
    return _console(stderr=False)


def stderr() -> "Console":
    """The console for progress and notes."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _WIDTH_OF_PIPES
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=width)


def note(text: str) -> None:
    """One line for the person at the keyboard."""
    stderr().print(text, style="dim", soft_wrap=True)


def print_json(value: object) -> None:
    """The command's one JSON value."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n")


def print_line(text: str) -> None:
    """One line of a result, never wrapped, so that it can be copied or piped."""
    sys.stdout.write(text + "\n")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def size_text(size_bytes: object) -> str:
    """`1.2 MB`; empty for anything that is not a size."""
    if not isinstance(size_bytes, int) or isinstance(size_bytes, bool):
        return ""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < _KILO:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= _KILO
    return f"{size:.1f} GB"


def instant_text(value: object) -> str:
    """`2025-05-01 10:00:00Z`; empty for anything that is not an instant."""
    if not isinstance(value, datetime):
        return ""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def mask_uri(uri: str) -> str:
    """A connection string that can be shown: no user, no password, no options (they may hold tokens)."""
    return mask_credentials(uri.split("?", 1)[0])


def mask_credentials(text: str) -> str:
    """A text in which the user and password of every address are replaced by `***`."""
    return _CREDENTIALS.sub(r"\g<scheme>***@", text)
