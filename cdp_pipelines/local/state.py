"""What a stack remembers between commands: `state.json` in its folder.

Belongs here: reading and writing it. Not here: what is done with it (`stack`).
"""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from cdp_pipelines.domain.errors import ConfigurationError, TransientFailure
from cdp_pipelines.local.processes import POLL_SECONDS, ProcessRecord

_VERSION: Final = 1
_LOCK_SECONDS: Final = 180.0


@dataclass(slots=True, kw_only=True)
class ServerState:
    """One server: its ports by name, its settings (secrets among them), and its process while it should run."""

    ports: dict[str, int]
    settings: dict[str, str] = field(default_factory=dict)
    process: ProcessRecord | None = None


def state_file(root: Path) -> Path:
    """Where the stack in `root` keeps its state."""
    return root / "state.json"


def load_state(path: Path) -> dict[str, ServerState]:
    """The servers by name; empty when there never was a stack.

    Raises:
        ConfigurationError: `LOCAL_STATE_UNREADABLE`.
    """
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != _VERSION:
            raise ValueError("another version")
        return {name: _server(entry) for name, entry in document["servers"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigurationError(
            "LOCAL_STATE_UNREADABLE",
            f"{path} was not written by this version. Remove the folder it is in, after stopping its servers by hand.",
        ) from exc


def save_state(path: Path, servers: dict[str, ServerState]) -> None:
    """Replace the file in one step, readable by its owner only."""
    document = {
        "version": _VERSION,
        "servers": {
            # Copies, because servers that start side by side add to theirs meanwhile.
            name: {
                "ports": dict(server.ports),
                "settings": dict(server.settings),
                "process": asdict(server.process) if server.process else None,
            }
            for name, server in list(servers.items())
        },
    }
    write_private(path, json.dumps(document, indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file with secrets in one step."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(path)


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the stack's lock, which ends with this process at the latest.

    Raises:
        TransientFailure: `LOCAL_STACK_BUSY`, another command works on the same stack for too long.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _locked(file.fileno()):
            if time.monotonic() > deadline:
                raise TransientFailure(
                    "LOCAL_STACK_BUSY", "Another command has been working on this stack for minutes."
                )
            time.sleep(POLL_SECONDS)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _server(entry: dict[str, object]) -> ServerState:
    fields = dict(entry)
    process = fields.pop("process")
    record = ProcessRecord(**process) if isinstance(process, dict) else None
    return ServerState(**fields, process=record)  # type: ignore[arg-type]
