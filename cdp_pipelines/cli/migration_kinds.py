"""The migrations that `cdp migrate` knows, by the name a person types.

Belongs here: the table, whose entries load the pipelines only when one is named. Not here: what any of them does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cdp_pipelines.cli.exit_codes import Refused

if TYPE_CHECKING:
    from cdp_pipelines.pipelines.activity_logs.replay import Replayed
    from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
    from cdp_pipelines.pipelines.migrations.services import MigrationServices


@dataclass(frozen=True, slots=True)
class KnownMigration:
    """One migration. `replay` runs a company's quarantined rows again: services, company_sso_id, run id.

    `check_again` has the company's checks evaluated anew; False when Dagster could not be reached.
    """

    name: str
    kind: "MigrationKind"
    replay: "Callable[[MigrationServices, str, str], Replayed]"
    check_again: Callable[[str], bool]
    checks_job: str


def _activity_logs(name: str) -> KnownMigration:
    from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS, CHECKS_JOB_NAME
    from cdp_pipelines.pipelines.activity_logs.replay import replay

    def check_again(company_sso_id: str) -> bool:
        import warnings

        with warnings.catch_warnings():
            # Dagster tells developers, at import, that checks by partition are new; it is nothing to people here.
            warnings.simplefilter("ignore")
            from cdp_pipelines.pipelines.activity_logs import check_again as checking
        return checking.check_again(company_sso_id)

    return KnownMigration(name, ACTIVITY_LOGS, replay, check_again, CHECKS_JOB_NAME)


_KNOWN: Final[Mapping[str, Callable[[str], KnownMigration]]] = {"activity-logs": _activity_logs}

NAMES: Final = tuple(_KNOWN)


def known_migration(name: str) -> KnownMigration:
    """The migration of this name; `activity_logs` is understood as well.

    Raises:
        Refused: `MIGRATION_UNKNOWN`.
    """
    wanted = name.strip().lower().replace("_", "-")
    if wanted not in _KNOWN:
        raise Refused("MIGRATION_UNKNOWN", f"There is no migration {name!r}; there is {', '.join(NAMES)}.")
    return _KNOWN[wanted](wanted)
