"""Folders of runs: gone with their process, and never taken from one that lives."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cdp_pipelines.resources.work_directory import remove_leftovers, sweep_work_directories, work_directory

HOLDER = """
import sys, pathlib
from cdp_pipelines.resources.work_directory import work_directory
with work_directory(pathlib.Path(sys.argv[1])) as path:
    (path / "customers.xlsx").write_text("x")
    print(path.name, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(root: Path) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A process that has a work folder until its input ends, or until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, root / process.stdout.readline().strip()
        finally:
            process.kill()


def test_the_folder_of_a_killed_process_is_removed_and_a_living_ones_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_TEMP_DIR", str(tmp_path))
    with holder(tmp_path) as (process, folder), work_directory(tmp_path) as own:
        assert (sweep_work_directories(), folder.is_dir(), own.is_dir()) == (0, True, True)
        os.kill(process.pid, signal.SIGSTOP)
        assert (sweep_work_directories(), folder.is_dir()) == (0, True)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        # Dead, though its parent has not asked after it.
        assert (sweep_work_directories(), folder.exists(), own.is_dir()) == (1, False, True)
        assert sweep_work_directories() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_gone_with_its_block(tmp_path: Path) -> None:
    def fail() -> None:
        with work_directory(tmp_path) as path:
            assert path.stat().st_mode & 0o077 == 0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_other_machines_and_other_programs_stay(tmp_path: Path) -> None:
    with work_directory(tmp_path) as own:
        _, _, host, pid, started, _ = own.name.split("-", 5)
    other = "h" + "0" * 8 if host != "h" + "0" * 8 else "h" + "1" * 8
    kept = [
        f"cdp-export-{other}-999999-{started}-abc",
        f"cdp-export-{other}-{pid}-1-abc",
        f"cdp-export-{host}-{pid}-{started}-abc",
        f"cdp-export-{host}-{pid}-{started}",
        "cdp-export-h12345678",
        "cdp-export-",
        "cdp-export-abc-999999-x",
        "other-999999-x",
    ]
    gone = [
        f"cdp-export-{host}-999999999-{started}-abc",
        # The number went to another process since.
        f"cdp-export-{host}-{pid}-1-abc",
        "cdp-export-999999999-as-earlier-versions-had-it",
    ]
    for name in (*kept, *gone):
        (tmp_path / name).mkdir()
    (tmp_path / f"cdp-export-{host}-999999998-1-file").write_text("not a folder")
    (tmp_path / f"cdp-export-{host}-999999998-1-link").symlink_to(tmp_path / kept[-1])
    assert remove_leftovers(tmp_path) == len(gone)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_dir() and not each.is_symlink()) == sorted(kept)


def test_a_folder_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert remove_leftovers(tmp_path / "nowhere") == 0
