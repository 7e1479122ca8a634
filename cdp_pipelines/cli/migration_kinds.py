"""The migrations that `cdp migrate` knows, by the name a person types.

Belongs here: the table, whose entries load the pipelines only when one is named. Not here: what any of them does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cdp_pipelines.cli.exit_codes import Refused

if TYPE_CHECKING:
    import dagster as dg

    from cdp_pipelines.pipelines.migrations.kinds import MigrationKind


@dataclass(frozen=True, slots=True)
class KnownMigration:
    """One migration. `checks_job` loads the job that evaluates a company's checks anew."""

    name: str
    kind: "MigrationKind"
    checks_job: "Callable[[], dg.JobDefinition]"

    def check_again(self, company_sso_id: str) -> bool:
        """Have the company's checks evaluated anew; False when Dagster could not be reached."""
        import warnings

        with warnings.catch_warnings():
            # Dagster tells developers, at import, that checks by partition are new; it is nothing to people here.
            warnings.simplefilter("ignore")
            from cdp_pipelines.pipelines.migrations.check_again import check_again

            return check_again(self.checks_job(), company_sso_id)


def _activity_logs(name: str) -> KnownMigration:
    from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS

    def checks_job() -> "dg.JobDefinition":
        from cdp_pipelines.pipelines.activity_logs.jobs import activity_logs_checks_job

        return activity_logs_checks_job

    return KnownMigration(name, ACTIVITY_LOGS, checks_job)


def _contact_notes(name: str) -> KnownMigration:
    from cdp_pipelines.pipelines.contact_notes.config import CONTACT_NOTES

    def checks_job() -> "dg.JobDefinition":
        from cdp_pipelines.pipelines.contact_notes.jobs import contact_notes_checks_job

        return contact_notes_checks_job

    return KnownMigration(name, CONTACT_NOTES, checks_job)


_KNOWN: Final[Mapping[str, Callable[[str], KnownMigration]]] = {
    "activity-logs": _activity_logs,
    "contact-notes": _contact_notes,
}

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
