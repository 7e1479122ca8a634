"""A run's own folder for temporary files, gone on every way out.

A killed process cannot clean up, so folders whose process is no longer there are removed by the next run and by the
sweeper. Only those of this machine: the number of a process says nothing about another's, and folders may be shared.
"""

import hashlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import Field, PrivateAttr

from cdp_pipelines.resources.environment import optional_setting

SETTING = "CDP_TEMP_DIR"
_PATTERN = re.compile(r"cdp-export-h(?P<host>[0-9a-f]{8})-(?P<pid>[0-9]+)-(?P<started>[0-9]+)-.+")
_EARLIER_PATTERN = re.compile(r"cdp-export-(?P<pid>[0-9]+)-.+")
"""As earlier versions named them, which said no machine."""


@contextmanager
def work_directory(root: Path | None = None) -> Iterator[Path]:
    """A new folder that only this user can read, removed with all that is in it when the block is left."""
    parent = root or Path(tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(parent)
    prefix = f"cdp-export-h{_this_host()}-{os.getpid()}-{_started(os.getpid())}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as name:
        yield Path(name)


def remove_leftovers(parent: Path) -> int:
    """Remove the folders of this machine's processes that died; returns how many."""
    removed = 0
    for folder in parent.glob("cdp-export-*"):
        if folder.is_dir() and not folder.is_symlink() and _is_left_over(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def sweep_work_directories() -> int:
    """Remove what dead runs left where runs of this machine work by its settings; returns how many folders."""
    return remove_leftovers(_parent(""))


def _is_left_over(name: str) -> bool:
    found = _PATTERN.fullmatch(name)
    if found is not None:
        pid, host = int(found["pid"]), found["host"]
        # Numbers of processes come round again, so what runs under one now may be another.
        return host == _this_host() and (not _is_running(pid) or _started(pid) not in (found["started"], "0"))
    earlier = _EARLIER_PATTERN.fullmatch(name)
    return earlier is not None and not _is_running(int(earlier["pid"]))


def _this_host() -> str:
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


def _started(pid: int) -> str:
    """When a process began, in the system's own count; "0" where that cannot be read."""
    facts = _facts(pid)
    return facts[19] if len(facts) > 19 else "0"


def _facts(pid: int) -> list[str]:
    """What Linux says of a process behind its name, its state first; nothing on other systems."""
    try:
        # The name stands in parentheses, and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    # One that was killed and that nobody has asked after is still listed.
    return _facts(pid)[:1] not in (["Z"], ["X"])


def _parent(explicit: str) -> Path:
    text = optional_setting(SETTING, explicit)
    return Path(text or tempfile.gettempdir())


class WorkDirectoryResource(dg.ConfigurableResource[None]):
    """A run's temporary folder; Dagster makes it once for all ops of a process and removes it however the run ends."""

    root: str = Field(default="", description="Where to make it; empty: CDP_TEMP_DIR, else the system's own.")

    _path: Path | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(  # type: ignore[override]  # declared to yield None, although Dagster hands on what is yielded
        self,
        context: dg.InitResourceContext,  # noqa: ARG002 - Dagster's signature
    ) -> Iterator[Self]:
        """Make the folder, lend it, remove it."""
        with work_directory(_parent(self.root)) as path:
            self._path = path
            try:
                yield self
            finally:
                self._path = None

    def path(self) -> Path:
        """The folder of this run."""
        if self._path is None:
            raise RuntimeError("the work directory exists only while a run is executed")
        return self._path
