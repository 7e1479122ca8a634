"""Bringing one server up and down: reuse, restart, readiness, status.

Belongs here: what is the same for every kind of server. Not here: several servers at once, and what is remembered
between commands (`stack`, `state`).
"""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

import psutil

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.local import processes
from cdp_pipelines.local.ports import is_free
from cdp_pipelines.local.processes import ProcessRecord
from cdp_pipelines.local.server import LocalServer, NotReady, Place
from cdp_pipelines.local.state import ServerState

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
HUNG_SECONDS: Final = 2.0
"""How long a server that does not answer gets to end by itself."""
DYING_SECONDS: Final = 5.0
"""How long the kernel may take to end a killed server with all that it holds."""
MARK: Final = "CDP_LOCAL_STACK_ROOT"
"""In the environment of every server: whoever starts one may be killed before writing down its process id."""

_REUSE_SECONDS: Final = 3.0
"""How long a server that already runs may take to answer before it is taken for hung."""
_DYING_POLL_SECONDS: Final = 0.05
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")

Condition: TypeAlias = Literal["running", "not answering", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server as it is now. `note` says why it is not as it should be; `since` is UTC."""

    name: str
    condition: Condition
    address: str
    pid: int | None
    since: datetime | None
    log_path: Path
    note: str = ""


class Canceled(Exception):
    """Another server failed, or somebody pressed Ctrl-C."""


class Died(Exception):
    """The process ended before it answered."""


class PortLost(Exception):
    """Another program listens on one of the server's ports, whichever of the two answers there."""


class Runner:
    """One server of the stack in `root`; `near` as in `Place`."""

    def __init__(
        self, server: LocalServer, root: Path, state: ServerState, near: Mapping[str, Place] | None = None
    ) -> None:
        self.server = server
        self.state = state
        self._root = root
        self._near = near or {}

    @property
    def place(self) -> Place:
        """Where the server lives."""
        name = self.server.name
        return Place(
            data=self._root / "data" / name,
            log=self._root / "logs" / f"{name}.log",
            ports=self.state.ports,
            settings=self.state.settings,
            near=self._near,
        )

    def process(self) -> psutil.Process | None:
        """The running process."""
        return processes.find(self.state.process) if self.state.process else None

    def answers(self, *, seconds: float = 0.0) -> bool:
        """Whether the server runs and answers within this time."""
        return self.process() is not None and processes.wait_until(self._is_ready, seconds=seconds)

    def reusable(self) -> bool:
        """Whether the server runs well enough to be left alone."""
        return self.answers(seconds=_REUSE_SECONDS)

    def taken_ports(self) -> list[int]:
        """Its ports on which somebody else listens; none where that cannot be told from the server itself."""
        in_use = [port for port in self.server.all_ports(self.state.ports) if not is_free(port)]
        if not in_use or self.state.process is None:
            return in_use
        # Asked after that, or the server could have begun to listen between the two.
        own = processes.listening_ports(self.state.process)
        return [] if own is None else [port for port in in_use if port not in own]

    def taken_for_good(self) -> list[int]:
        """As `taken_ports`, of ports that stay taken: a killed server's are its own until its last thread is gone."""
        deadline = time.monotonic() + DYING_SECONDS
        while (taken := self.taken_ports()) and time.monotonic() < deadline:
            time.sleep(_DYING_POLL_SECONDS)
        return taken

    def launch(self) -> ProcessRecord:
        """Start the process without waiting for it.

        Raises:
            CdpError: it cannot be prepared or started.
        """
        launch = self.server.prepare(self.place)
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            return processes.start_detached(
                launch.argv,
                log_path=self.place.log,
                environment={**passed_on, **launch.environment, MARK: str(self._root)},
                directory=launch.directory,
                account=launch.account,
            )
        except OSError as exc:
            raise self.failure(f"it cannot be started ({exc.strerror})") from exc

    def await_ready(self, canceled: threading.Event) -> None:
        """Wait until the server answers and is complete.

        Raises:
            Died: the process ended.
            PortLost: another stack, for one, was quicker to listen on a port that both chose.
            Canceled: `canceled` was set.
            TransientFailure: `LOCAL_SERVER_FAILED`, it does not answer in time.
        """
        deadline = time.monotonic() + READY_SECONDS
        while True:
            if canceled.is_set():
                raise Canceled
            if self.process() is None:
                raise Died
            try:
                self._check_itself()
                self.server.complete(self.place)
            except NotReady as exc:
                if time.monotonic() > deadline:
                    raise self.failure(f"after {READY_SECONDS:.0f} s {exc}") from exc
                canceled.wait(processes.POLL_SECONDS)
            else:
                return

    def _check_itself(self) -> None:
        try:
            self.server.check(self.place)
        finally:
            # Another server of the kind may answer as well, and `weed` goes on without its ports and never answers.
            if self.taken_ports():
                raise PortLost

    def stop(self, *, patience_seconds: float = STOP_SECONDS) -> None:
        """End the process and what it started, and what it would leave behind."""
        if self.state.process is not None:
            signal = self.server.stop_signal
            processes.stop(self.state.process, stop_signal=signal, patience_seconds=patience_seconds)
        self.server.tidy(self.place)

    def status(self) -> ServerStatus:
        """The server as it is now."""
        process = self.process()
        condition: Condition = "stopped" if process is None else "running" if self._is_ready() else "not answering"
        notes = {"running": "", "not answering": f"see {self.place.log}", "stopped": ""}
        crashed = condition == "stopped" and self.state.process is not None
        return ServerStatus(
            name=self.server.name,
            condition=condition,
            address=self.server.address(self.place),
            pid=process.pid if process else None,
            since=datetime.fromtimestamp(process.create_time(), UTC) if process else None,
            log_path=self.place.log,
            note=f"it ended by itself, see {self.place.log}" if crashed else notes[condition],
        )

    def failure(self, reason: str) -> TransientFailure:
        """The error that says what is wrong with this server, with the end of its log."""
        lines = processes.last_lines(self.place.log)
        tail = "\n".join(f"  {line}" for line in lines) or "  (empty)"
        return TransientFailure(
            "LOCAL_SERVER_FAILED",
            f"The local server {self.server.name!r} did not start: {reason}. The end of {self.place.log}:\n{tail}",
            details={"server": self.server.name, "log": str(self.place.log)},
        )

    def _is_ready(self) -> bool:
        try:
            self.server.check(self.place)
        except NotReady:
            return False
        return True
