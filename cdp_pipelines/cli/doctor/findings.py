"""What a check of `cdp doctor` says, and the frame that every check runs in."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from cdp_pipelines.cli.output import mask_credentials
from cdp_pipelines.domain.errors import CdpError

State: TypeAlias = Literal["ok", "note", "broken"]
SYMBOLS: Final[dict[State, str]] = {"ok": "✔", "note": "–", "broken": "✘"}
STYLES: Final[dict[State, str]] = {"ok": "green", "note": "yellow", "broken": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `note`: not needed, switched off, or worth a look; `broken`: needed and not right."""

    system: str
    check: str
    state: State
    detail: str
    advice: str = ""

    def facts(self) -> dict[str, Any]:
        """What `--json` prints."""
        return asdict(self)


class Findings:
    """Makes the findings of one system."""

    def __init__(self, system: str) -> None:
        self.system = system

    def ok(self, check: str, detail: str) -> Finding:
        """It is as it should be."""
        return Finding(self.system, check, "ok", mask_credentials(detail))

    def note(self, check: str, detail: str, advice: str = "") -> Finding:
        """It is not needed, is off, or is worth a look."""
        return Finding(self.system, check, "note", mask_credentials(detail), advice)

    def broken(self, check: str, detail: str, advice: str = "") -> Finding:
        """It is needed and does not work."""
        return Finding(self.system, check, "broken", mask_credentials(detail), advice)


Check: TypeAlias = Callable[[Findings], Iterable[Finding]]


def run_check(system: str, check: Check) -> Iterator[Finding]:
    """The findings of one system; an error ends its check and is a finding itself."""
    findings = Findings(system)
    try:
        yield from check(findings)
    except CdpError as exc:
        yield findings.broken(exc.code, exc.message)
    except Exception as exc:  # noqa: BLE001 - a doctor that dies of one patient sees no other; it is reported
        # Only its kind: a driver's text may hold an address with a password.
        yield findings.broken("unexpected", f"The check itself failed ({type(exc).__name__}).", "cdp --debug doctor")
