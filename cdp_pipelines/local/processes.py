"""Processes that outlive the command that started them, and that a later command finds again and ends.

Belongs here: starting, recognising and ending a process with everything it started. Not here: what the processes are
(`server` and its kinds), when they are ready (`stack`).
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from cdp_pipelines.domain.errors import TransientFailure

POLL_SECONDS: Final = 0.05
KILL_SECONDS: Final = 10.0
_SAME_START_SECONDS: Final = 0.01

# A child that ended stays a zombie until its parent asks; this process is the parent of what it started itself.
_children: dict[int, "subprocess.Popen[bytes]"] = {}


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process and the moment it began (seconds since 1970), because process ids are used again."""

    pid: int
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of the operating system."""

    uid: int
    gid: int


def start_detached(
    argv: Sequence[str],
    *,
    log_path: Path,
    environment: Mapping[str, str],
    directory: Path,
    account: Account | None = None,
) -> ProcessRecord:
    """Start a process in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it.

    Its output goes to the end of `log_path`. `account` (root only) is whom it runs as.

    Raises:
        OSError: it cannot be started.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        child = subprocess.Popen(  # noqa: S603 - the programs are ours, by absolute path
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    _children[child.pid] = child
    try:
        return ProcessRecord(child.pid, psutil.Process(child.pid).create_time())
    except psutil.NoSuchProcess:
        return ProcessRecord(child.pid, 0.0)


def find(record: ProcessRecord) -> psutil.Process | None:
    """The process, if it is still the one that was recorded and has not ended."""
    if _has_ended(record.pid):
        return None
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.created) < _SAME_START_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _has_ended(pid: int) -> bool:
    """Whether a process that this one started has ended; it is then forgotten."""
    child = _children.get(pid)
    if child is None or child.poll() is None:
        return False
    del _children[pid]
    return True


def stop(
    record: ProcessRecord, *, stop_signal: signal.Signals = signal.SIGTERM, patience_seconds: float = 10.0
) -> None:
    """End a process and all it started: asked first, killed after `patience_seconds`. Gone already is fine.

    Raises:
        TransientFailure: `PROCESS_WILL_NOT_END`.
    """
    process = find(record)
    if process is None:
        return
    end_all([process], stop_signal=stop_signal, patience_seconds=patience_seconds)


def end_all(
    processes: Sequence[psutil.Process],
    *,
    stop_signal: signal.Signals = signal.SIGTERM,
    patience_seconds: float = 10.0,
) -> None:
    """End processes and all they started.

    Raises:
        TransientFailure: `PROCESS_WILL_NOT_END`.
    """
    family = {process: None for head in processes for process in (head, *_descendants(head))}
    for process in processes:
        _send(process, stop_signal)
    _, left = psutil.wait_procs(list(family), timeout=patience_seconds)
    for process in left:
        _send(process, signal.SIGKILL)
    _, left = psutil.wait_procs(left, timeout=KILL_SECONDS)
    left = [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    if left:
        numbers = ", ".join(str(process.pid) for process in left)
        raise TransientFailure("PROCESS_WILL_NOT_END", f"These processes do not end: {numbers}. Look at them by hand.")
    for process in family:
        _has_ended(process.pid)


def listening_ports(record: ProcessRecord) -> frozenset[int] | None:
    """The TCP ports on which a process, or one that it started, listens; none when it has ended.

    None: this process may not look, as root in a container may not look into another account's processes.
    """
    process = find(record)
    found: set[int] = set()
    for each in [process, *_descendants(process)] if process else []:
        try:
            connections = each.net_connections(kind="tcp")
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            return None
        found.update(each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN)
    return frozenset(found)


def with_environment(name: str, value: str) -> list[psutil.Process]:
    """Processes that were started with this environment variable; those we may not look into are left out."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def wait_until(condition: Callable[[], bool], *, seconds: float, canceled: threading.Event | None = None) -> bool:
    """Ask until it is so; False when time ran out or the wait was canceled."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline or (canceled is not None and canceled.is_set()):
            return False
        time.sleep(POLL_SECONDS)
    return True


def last_lines(path: Path, count: int = 15) -> list[str]:
    """The end of a log file, as far as it can be read; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 200 * count))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()[-count:]


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
