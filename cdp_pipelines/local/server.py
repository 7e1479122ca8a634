"""What every embedded server has in common.

Belongs here: the contract between a kind of server and `stack`. Not here: any one server (`mongo`, `postgres`,
`seaweed`, `own_servers`).
"""

import shutil
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.local.ports import free_ports
from cdp_pipelines.local.processes import Account


class NotReady(Exception):
    """The server does not answer (yet); the text says what was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one server lives. `settings` (secrets, folders elsewhere) stays in the stack's state; servers add to it.

    `near`: the places of the servers that it needs, by name.
    """

    data: Path
    log: Path
    ports: Mapping[str, int]
    settings: dict[str, str]
    near: "Mapping[str, Place]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a server: absolute program, its own environment variables, working folder, account (root only)."""

    argv: list[str]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None


class LocalServer(ABC):
    """A kind of server. Instances hold no state: what they need is in the `Place`."""

    name: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]]
    port_shadow: ClassVar[int] = 0
    """The server also takes each of its ports plus this number."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Names of the servers that must be there before it is started; in the stack they stand before it."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def choose_ports(self, avoid: set[int]) -> dict[str, int]:
        """Free ports by name; none of `avoid`, which they are added to."""
        ports = free_ports(len(self.port_names), avoid=avoid, shadow=self.port_shadow)
        avoid.update(ports, (port + self.port_shadow for port in ports))
        return dict(zip(self.port_names, ports, strict=True))

    def all_ports(self, ports: Mapping[str, int]) -> list[int]:
        """Every port the server listens on."""
        return list(ports.values()) + [port + self.port_shadow for port in ports.values() if self.port_shadow]

    @abstractmethod
    def prepare(self, place: Place) -> Launch:
        """Make what must be there before the start. Called before every start, also after a crash.

        Raises:
            CdpError: it cannot be made; the message says why and what to do.
        """

    @abstractmethod
    def check(self, place: Place) -> None:
        """Speak to the server.

        Raises:
            NotReady: it does not answer as it should.
        """

    def complete(self, place: Place) -> None:  # noqa: B027 - most servers need nothing
        """Make what can only be made in a running server. Called after every start.

        Raises:
            NotReady: the server does not do as it is told.
        """

    @abstractmethod
    def variables(self, place: Place) -> dict[str, str]:
        """The environment variables by which the code finds this server."""

    @abstractmethod
    def address(self, place: Place) -> str:
        """Where it is, for people; without secrets."""

    def tidy(self, place: Place) -> None:  # noqa: B027 - most servers need nothing
        """Remove what a stopped server leaves behind outside its data folder."""

    def delete(self, place: Place) -> None:
        """Remove the data of a stopped server."""
        if place.data.exists():
            shutil.rmtree(place.data)


def installed_program(name: str) -> Path | None:
    """A program that came with a wheel: beside this Python, else on PATH."""
    beside = Path(sys.executable).parent / name
    if beside.exists():
        return beside
    found = shutil.which(name)
    return Path(found) if found else None


def required_program(name: str, extra: str) -> Path:
    """As `installed_program`.

    Raises:
        ConfigurationError: `PROGRAM_MISSING`.
    """
    program = installed_program(name)
    if program is None:
        raise ConfigurationError("PROGRAM_MISSING", f"{name} is not installed ({extra}). Run: pip install .[local]")
    return program
