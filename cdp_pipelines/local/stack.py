"""All embedded servers together: start, stop, look, and the environment that leads to them.

    stack = LocalStack()
    variables = stack.up().variables
    ...
    stack.down()

Belongs here: several servers at once, recovery, the environment. Not here: one server (`runner` and the kinds).
Everything lives in one folder (`.local`): `state.json`, `env` (for a shell to source), `logs/`, `data/`,
`dagster_home/`. POSIX only.
"""

import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.local import own_servers, processes
from cdp_pipelines.local.interrupts import interrupts_wait
from cdp_pipelines.local.mongo import CACHE_MEGABYTES, Mongo, MongoKind
from cdp_pipelines.local.neighbours import ports_elsewhere
from cdp_pipelines.local.postgres import Postgres
from cdp_pipelines.local.runner import HUNG_SECONDS, MARK, STOP_SECONDS, Canceled, Died, PortLost, Runner, ServerStatus
from cdp_pipelines.local.seaweed import Seaweed
from cdp_pipelines.local.server import LocalServer
from cdp_pipelines.local.stack_environment import make_dagster_home, shell_file
from cdp_pipelines.local.state import ServerState, load_state, only_one, save_state, state_file, write_private

DEFAULT_ROOT: Final = Path(".local")
GRPC_SECONDS: Final = "180"
"""How long Dagster waits for a run to start: with its own 60 s, a busy machine starts runs twice, and none works."""
_ATTEMPTS: Final = 2
"""A port can be taken between being chosen and being used; that does not happen twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEnv:
    """What `up` did. `variables` hold secrets; `started` names the servers that were not running before."""

    variables: dict[str, str] = field(repr=False)
    file: Path
    started: tuple[str, ...]
    seconds: float


class LocalStack:
    """The embedded servers of one folder. Commands on the same folder wait for each other."""

    def __init__(
        self, root: Path | None = None, *, mongo: MongoKind | None = None, mongo_cache_megabytes: int = CACHE_MEGABYTES
    ) -> None:
        self.root = (root or DEFAULT_ROOT).resolve()
        servers: Sequence[LocalServer] = [
            Mongo(mongo, cache_megabytes=mongo_cache_megabytes), Postgres(), Seaweed(), own_servers.MailServer(),
            own_servers.HttpApis(), own_servers.CrmApi(),
        ]  # fmt: skip
        self._servers = {server.name: server for server in servers}
        self._saving = threading.Lock()

    def up(self, fresh: bool = False) -> StackEnv:  # noqa: FBT001 - reads well as up(fresh=True)
        """Have every server running and answering; those that are stay as they are. `fresh`: without old data.

        Raises:
            TransientFailure: `LOCAL_SERVER_FAILED`, with the server's name and the end of its log. What this call
                started is stopped again, also when it is interrupted.
            ConfigurationError: a program is missing.
        """
        if fresh:
            self.down(delete_data=True)
        began = time.monotonic()
        with self._locked() as states:
            self._choose_ports(states, [name for name in self._servers if name not in states])
            self._end_unrecorded(states)
            started = self._start(states, list(self._servers), may_move=True)
            variables = self._variables(states)
            make_dagster_home(self.root / "dagster_home")
            write_private(self.root / "env", shell_file(variables))
        seconds = time.monotonic() - began
        return StackEnv(variables=variables, file=self.root / "env", started=started, seconds=seconds)

    def down(self, delete_data: bool = False) -> None:  # noqa: FBT001 - reads well as down(delete_data=True)
        """Stop every server and what it started; nothing running is fine. Ports and secrets stay for the next `up`.

        Raises:
            TransientFailure: `PROCESS_WILL_NOT_END`.
        """
        if not self.root.exists():
            return
        with self._locked() as states, interrupts_wait():
            self._stop(states, list(states))
            self._end_unrecorded(states)
            (self.root / "env").unlink(missing_ok=True)
            if delete_data:
                for server in self._servers.values():
                    # Also where `state.json` was lost: some keep data outside the folder.
                    server.delete(Runner(server, self.root, ServerState(ports={})).place)
                for folder in ("data", "logs", "dagster_home"):
                    shutil.rmtree(self.root / folder, ignore_errors=True)
                state_file(self.root).unlink(missing_ok=True)

    def start_one(self, name: str) -> None:
        """Start one server on the port it had, and wait until it answers.

        Raises:
            ConfigurationError: `LOCAL_SERVER_UNKNOWN`, `LOCAL_STACK_DOWN`.
            TransientFailure: as `up`.
        """
        with self._locked() as states:
            self._runner(states, name)
            self._start(states, [name], may_move=False)

    def stop_one(self, name: str) -> None:
        """Stop one server; its data and ports stay.

        Raises:
            ConfigurationError: `LOCAL_SERVER_UNKNOWN`, `LOCAL_STACK_DOWN`.
        """
        with self._locked() as states, interrupts_wait():
            self._runner(states, name)
            self._stop(states, [name])

    def status(self) -> list[ServerStatus]:
        """Every server as it is now; each that runs was asked. Empty when there never was a stack here."""
        states = self._load()
        if not states:
            return []
        with ThreadPoolExecutor(len(states)) as pool:
            return list(pool.map(lambda name: self._runner(states, name).status(), states))

    def env(self) -> dict[str, str]:
        """The environment that leads to the servers, whether they run or not; holds secrets.

        Raises:
            ConfigurationError: `LOCAL_STACK_DOWN`, there never was a stack here.
        """
        try:
            return self._variables(self._load())
        except (KeyError, FileNotFoundError) as exc:  # what the first start would have made
            raise _never_started() from exc

    @property
    def maildir(self) -> Path:
        """Where the mail server keeps what it received, see `mailbox_reader.read_mailbox`."""
        return own_servers.maildir(self._data(own_servers.MailServer.name))

    def mail_control_path(self) -> Path:
        """The control file of the mail server, see `mail_control.MailControl`."""
        return own_servers.mail_control(self._data(own_servers.MailServer.name))

    def api_records_path(self) -> Path:
        """What the HTTP APIs were asked, see `api_records.read_requests`."""
        return own_servers.api_records(self._data(own_servers.HttpApis.name))

    def crm_records_path(self) -> Path:
        """What the CRM's server was asked, see `api_records.read_requests`."""
        return own_servers.api_records(self._data(own_servers.CrmApi.name))

    def _data(self, name: str) -> Path:
        return self.root / "data" / name

    def _load(self) -> dict[str, ServerState]:
        states = load_state(state_file(self.root))
        return {name: states[name] for name in self._servers if name in states}

    @contextmanager
    def _locked(self) -> Iterator[dict[str, ServerState]]:
        with only_one(self.root / "lock"):
            yield self._load()

    def _save(self, states: dict[str, ServerState]) -> None:
        with self._saving:
            save_state(state_file(self.root), states)

    def _choose_ports(self, states: dict[str, ServerState], names: Sequence[str]) -> None:
        if not names:
            return
        with ports_elsewhere(self.root) as elsewhere:
            for name in names:
                state = states.setdefault(name, ServerState(ports={}))
                state.ports = self._servers[name].choose_ports(_with_shadows(elsewhere) | _ports(states))
            self._save(states)

    def _runner(self, states: dict[str, ServerState], name: str) -> Runner:
        if name not in self._servers:
            known = ", ".join(self._servers)
            raise ConfigurationError("LOCAL_SERVER_UNKNOWN", f"There is no local server {name!r}, only {known}.")
        if name not in states:
            raise _never_started()
        server = self._servers[name]
        near = {needed: self._runner(states, needed).place for needed in server.needs}
        return Runner(server, self.root, states[name], near)

    def _variables(self, states: dict[str, ServerState]) -> dict[str, str]:
        variables = {"DAGSTER_HOME": str(self.root / "dagster_home"), "DAGSTER_GRPC_TIMEOUT_SECONDS": GRPC_SECONDS}
        for name in self._servers:
            runner = self._runner(states, name)
            variables.update(runner.server.variables(runner.place))
        return variables

    def _start(self, states: dict[str, ServerState], names: list[str], *, may_move: bool) -> tuple[str, ...]:
        """Start side by side what does not run; on any failure stop again what this call started."""
        canceled = threading.Event()
        begun: list[str] = []
        futures: dict[str, Future[None]] = {}

        def start(name: str) -> None:
            for needed in self._servers[name].needs:
                # Submitted before this one, and every one has a thread of its own.
                if needed in futures:
                    futures[needed].result()
            runner = self._runner(states, name)
            if not runner.reusable():
                self._start_runner(states, runner, begun, canceled, may_move=may_move)

        pool = ThreadPoolExecutor(len(names))
        try:
            for name in names:
                futures[name] = pool.submit(start, name)
            for future in as_completed(futures.values()):
                future.result()
        except BaseException:
            with interrupts_wait():
                canceled.set()
                pool.shutdown()
                self._stop(states, begun)
            raise
        pool.shutdown()
        return tuple(name for name in names if name in begun)

    def _start_runner(
        self,
        states: dict[str, ServerState],
        runner: Runner,
        begun: list[str],
        canceled: threading.Event,
        *,
        may_move: bool,
    ) -> None:
        for left in reversed(range(_ATTEMPTS)):
            runner.stop(patience_seconds=HUNG_SECONDS)  # what hangs, and what a crash left behind
            if runner.taken_ports():
                if may_move:
                    self._choose_ports(states, [runner.server.name])
                elif taken := runner.taken_for_good():
                    raise runner.failure(f"another program listens on its port {taken[0]}")
            if canceled.is_set():
                raise Canceled
            begun.append(runner.server.name)
            runner.state.process = runner.launch()
            self._save(states)
            try:
                runner.await_ready(canceled)
                return
            except (Died, PortLost) as exc:
                if not left:
                    why = "its process ended" if isinstance(exc, Died) else "another program took its port"
                    raise runner.failure(why) from exc

    def _stop(self, states: dict[str, ServerState], names: Sequence[str]) -> None:
        def stop(name: str) -> None:
            runner = self._runner(states, name)
            runner.stop()
            runner.state.process = None

        if names:
            with ThreadPoolExecutor(len(names)) as pool:
                list(pool.map(stop, dict.fromkeys(names)))
            self._save(states)

    def _end_unrecorded(self, states: dict[str, ServerState]) -> None:
        """End servers of this stack that nobody wrote down, because who started them was killed just then."""
        recorded = {
            runner.pid for state in states.values() if state.process and (runner := processes.find(state.process))
        }
        left = [
            process
            for process in processes.with_environment(MARK, str(self.root))
            if not recorded & {process.pid, *(parent.pid for parent in process.parents())}
        ]
        processes.end_all(left, patience_seconds=STOP_SECONDS)


def _never_started() -> ConfigurationError:
    return ConfigurationError("LOCAL_STACK_DOWN", "The local servers were never started here. Run: cdp local up")


def _ports(states: dict[str, ServerState]) -> set[int]:
    return _with_shadows({port for state in states.values() for port in state.ports.values()})


def _with_shadows(ports: set[int]) -> set[int]:
    return {port + shadow for port in ports for shadow in (0, Seaweed.port_shadow)}
