"""A real `dagster-daemon` and `dagster-webserver` on the session's stack, as an operator would start them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from cdp_pipelines_tests.support.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def process(arguments: list[str], env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, stopped with all its children however the block ends."""
    # Where it is set, each code server and each run would compile all of our modules anew.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("ab") as output:
        started = subprocess.Popen(
            arguments, env={**inherited, **env}, cwd=REPOSITORY, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            started.wait(30)
        _kill_group(started.pid)
        started.wait()


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@contextmanager
def daemon(env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon: sensors, queue, run monitoring."""
    with process([tool("dagster-daemon"), "run", "-w", str(REPOSITORY / "workspace.yaml")], env, log) as started:
        yield started


@contextmanager
def webserver(env: Mapping[str, str], log: Path, port: int) -> Iterator[str]:
    """The UI; yields its address once it answers."""
    url = f"http://127.0.0.1:{port}"
    arguments = [
        tool("dagster-webserver"),
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-w",
        str(REPOSITORY / "workspace.yaml"),
    ]
    with process(arguments, env, log):
        wait_for("the Dagster UI's start", lambda: _answers(url), seconds=120)
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/server_info", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
