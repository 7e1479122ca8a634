"""Applies and takes back the numbered migrations; `schema_migrations` holds which are in force."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.stores.errors import translating, waiting_out_outages
from cdp_pipelines.stores.migrations.catalogue import MIGRATIONS
from cdp_pipelines.stores.migrations.spec import Migration

Report = Callable[[str], None]


class Migrator:
    """The migrations of one database."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._database = database
        self._applied = database["schema_migrations"]

    @waiting_out_outages
    def applied(self) -> set[int]:
        """The numbers in force."""
        with translating("reading the applied migrations"):
            return {document["_id"] for document in self._applied.find({}, {"_id": 1})}

    def pending(self) -> list[Migration]:
        """What `up` would apply."""
        applied = self.applied()
        return [migration for migration in MIGRATIONS if migration.number not in applied]

    def up(self, report: Report = lambda _: None) -> list[Migration]:
        """Apply everything pending, in order."""
        done = self.pending()
        for migration in done:
            report(f"applying {migration.number:04d} {migration.name}")
            with translating(f"applying migration {migration.number:04d}"):
                migration.up(self._database)
                self._applied.replace_one(
                    {"_id": migration.number}, {"name": migration.name, "applied_at": datetime.now(UTC)}, upsert=True
                )
        return done

    def down(self, to: int, report: Report = lambda _: None) -> list[Migration]:
        """Take back, newest first, everything above number `to`."""
        applied = self.applied()
        done = [m for m in reversed(MIGRATIONS) if m.number in applied and m.number > to]
        for migration in done:
            report(f"taking back {migration.number:04d} {migration.name}")
            with translating(f"taking back migration {migration.number:04d}"):
                migration.down(self._database)
                self._applied.delete_one({"_id": migration.number})
        return done

    def require_current(self) -> None:
        """Raise a plain `MIGRATIONS_PENDING` when the indexes that everything rests on are not there."""
        pending = self.pending()
        if pending:
            names = ", ".join(f"{migration.number:04d} {migration.name}" for migration in pending)
            raise ConfigurationError(
                "MIGRATIONS_PENDING", f"The database lacks index migrations ({names}). Run: cdp migrate-indexes up"
            )
