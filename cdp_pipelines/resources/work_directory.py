"""A run's own folder for temporary files, gone on every way out.

A killed process cannot clean up, so each run also removes the folders whose process is no longer there.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import Field, PrivateAttr

from cdp_pipelines.resources.environment import optional_setting

_NAME = "cdp-export-{pid}-"
_PATTERN = re.compile(r"cdp-export-(\d+)-.+")


@contextmanager
def work_directory(root: Path | None = None) -> Iterator[Path]:
    """A new folder that only this user can read, removed with all that is in it when the block is left."""
    parent = root or Path(tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(parent)
    with tempfile.TemporaryDirectory(prefix=_NAME.format(pid=os.getpid()), dir=parent) as name:
        yield Path(name)


def remove_leftovers(parent: Path) -> int:
    """Remove the folders of processes that died; returns how many."""
    removed = 0
    for folder in parent.glob("cdp-export-*"):
        match = _PATTERN.fullmatch(folder.name)
        if match and folder.is_dir() and not folder.is_symlink() and not _is_running(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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
        text = optional_setting("CDP_TEMP_DIR", self.root)
        with work_directory(Path(text) if text else None) as path:
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
