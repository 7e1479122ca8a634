"""The other stacks of this user on this machine, so that no two choose the same ports.

Belongs here: who they are and which ports they chose. Not here: finding free ones (`ports`).
A port that a stack chose is its own also while nobody listens there: its server may be starting, or stopped for now.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.local.state import load_state, only_one, state_file, write_private


@contextmanager
def ports_elsewhere(root: Path) -> Iterator[set[int]]:
    """The ports of all other stacks. Until the block ends no other stack chooses any, so save the choice inside it.

    Raises:
        TransientFailure: `LOCAL_STACK_BUSY`.
        ConfigurationError: `LOCAL_FOLDER_NOT_OURS`, the folder for this among the temporary files is another user's.
    """
    folder = _folder()
    stacks = folder / "stacks"
    with only_one(folder / "lock"):
        listed = stacks.read_text(encoding="utf-8").split("\n") if stacks.exists() else []
        others = [path for path in dict.fromkeys(listed) if path != str(root) and state_file(Path(path)).is_file()]
        write_private(stacks, "\n".join([*others, str(root)]))
        yield {port for path in others for port in _ports_of(Path(path))}


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"cdp-local-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # Everybody may write to the folder for temporary files.
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ConfigurationError("LOCAL_FOLDER_NOT_OURS", f"{folder} is another user's. Remove it, or set TMPDIR.")
    return folder


def _ports_of(root: Path) -> list[int]:
    try:
        states = load_state(state_file(root))
    except (ConfigurationError, OSError):
        return []
    return [port for state in states.values() for port in state.ports.values()]
