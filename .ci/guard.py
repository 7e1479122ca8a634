"""Runs a command, and sees that nothing it started is left when it ends: `python3 .ci/guard.py COMMAND…`

Linux hands a process whose parent died to the nearest ancestor that asked for such orphans; here that is this program.
So servers are found that detached themselves with a session and an environment of their own. Those left are named and
ended, and a command that was otherwise fine counts as failed. Needs nothing but Python.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
PATIENCE_SECONDS = 10.0
POLL_SECONDS = 0.1


def main(command: list[str]) -> int:
    """The command's exit status; 1 if it was 0 but left processes behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
    # Whatever started us, Ctrl-C must reach the tests' servers: Dagster stops by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        status = subprocess.run(command, check=False).returncode  # noqa: S603 - the caller's own command
    except (KeyboardInterrupt, SystemExit) as exc:
        _end(_descendants())
        return exc.code if isinstance(exc, SystemExit) and isinstance(exc.code, int) else 128 + signal.SIGINT
    left = _settled()
    if not left:
        return 128 - status if status < 0 else status
    for pid in left:
        sys.stderr.write(f"left behind: {pid} {_command_line(pid)}\n")
    _end(left)
    return status or 1


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _settled() -> list[int]:
    """Who is still there after what was just stopped has had time to go."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := _descendants()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return left


def _end(pids: list[int]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (pids := _descendants()) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def _descendants() -> list[int]:
    _bury()
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # After the name, which may hold anything: state, then the parent.
                state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            except (OSError, ValueError):
                continue
            if state not in "ZX":
                parents[int(folder.name)] = int(parent)
    found = [os.getpid()]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found[1:]


def _bury() -> None:
    """Take the exit status of adopted children that ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
    except OSError:
        return "(gone)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
