"""Companies to migrate under the real daemon, and what became of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from pymongo import MongoClient

from cdp_pipelines.local.crm_schema import empty_organization
from cdp_pipelines.local.demo_crm import bulk_load
from cdp_pipelines.local.demo_crm_shapes import CrmShape
from cdp_pipelines.stores.migrations.runner import Migrator
from cdp_pipelines_tests.support.waiting import wait_for

DATABASE = "cdp_e2e"
SYNCED = datetime(2024, 6, 1, tzinfo=UTC)
CLEAN = CrmShape(unreadable=0, people_without_contact=0, invalid_timestamps=0, foreign=0)
BROKEN = CrmShape(unreadable=0.3, people_without_contact=0, invalid_timestamps=0, foreign=0)


class Site:
    """Companies in the daemon's database and CRM, and what became of them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.client: MongoClient[dict[str, Any]] = MongoClient(env["CDP_MONGO_URI"], tz_aware=True)
        self.db = self.client[DATABASE]
        Migrator(self.db).up()
        self._cid = 700

    def company(self, key: str, *, people: int, contacts: int, audits: int, shape: CrmShape) -> str:
        self._cid += 1
        cid = self._cid
        features = {"crm_activity_logs_migration_enabled": True}
        self.db["companies"].insert_one({"_id": key, "cid": cid, "name": key, "features": features})
        ids = [cid * 10_000 + number for number in range(1, people + 1)]
        self.db["contacts"].insert_many(
            [
                {"company_sso_id": key, "name": "C", "crm_data": {"id": str(number)}, "created_at": SYNCED}
                for number in ids[:contacts]
            ]
        )
        bulk_load(
            self.env["CRM_AUDIT_DATABASE_URL"], organization_id=cid, people=[(number, SYNCED) for number in ids],
            audits=audits, seed=cid, first_audit_id=cid * 1_000_000, shape=shape,
        )  # fmt: skip
        return key

    def mend(self) -> None:
        """What a developer does about texts that no reader reads."""
        with psycopg.connect(self.env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as connection:
            connection.execute("UPDATE audits SET audited_changes = '--- {}' WHERE organization_id = %s", (self._cid,))

    def job(self, company: str) -> dict[str, Any] | None:
        found = self.db["crm_activity_log_migration_jobs"].find_one(
            {"company_sso_id": company}, sort=[("created_at", -1)]
        )
        return found if found is not None and found["status"] != "in_progress" else None

    def ended(self, company: str, *statuses: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.job(company)
            return found if found is not None and found["status"] in statuses else None

        return wait_for(f"{company} to be {statuses}", look, seconds=180)

    def close(self) -> None:
        with psycopg.connect(self.env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as connection:
            for cid in range(701, self._cid + 1):
                empty_organization(connection, cid)
        self.client.close()
