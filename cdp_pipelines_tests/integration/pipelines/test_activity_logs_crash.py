"""SIGKILL at instants spread over a whole migration, rollback and replay; what is done again ends the same."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cdp_pipelines.stores.activity_logs import ActivityLogs
from cdp_pipelines_tests.integration.pipelines.migration_crashing import DoomedMigration, Work, migrate_and_die
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    AFTER,
    BEFORE,
    Document,
    Migrations,
    assert_adds_up,
)

# What survives a kill is what a server has acknowledged, whichever it is; the notes' kills are on each.
pytestmark = [pytest.mark.timeout(600), pytest.mark.any_mongo]

CONFIG = {"page_rows": 7, "shards": 2}
UNREADABLE = "---\nname:\n\t- a\n"
ROWS = 60


class Company:
    """A company with every outcome among its audits, and documents of others that nothing may touch."""

    def __init__(self, migrations: Migrations) -> None:
        self.m = m = migrations
        m.crm.user(m.cid, 7, "live@example.com", "Live User")
        m.crm.user(m.cid, 8, "gone@example.com", "Gone User", deleted=True)
        m.crm.entity("crm_deals", m.cid, 5, "Big deal")
        self.unreadable = [m.crm.audit(m.cid, **columns) for columns in self._rows()][20]
        self.others = self._documents_of_others()
        self.begin_anew()

    def _rows(self) -> list[Document]:
        linked = {"auditable_type": "Crm::PeopleDeal", "action": "create"}
        linked["audited_changes"] = "---\ncrm_person_id: 1\ncrm_deal_id: 5\n"
        special: dict[int, Document] = {
            2: {"user_id": 7, "user_type": "User"},
            3: {"user_id": 8, "user_type": "User"},
            4: {"user_id": 99, "user_type": "User"},
            6: linked,
            9: {"auditable_type": "Crm::Pipeline"},
            12: {"comment": '{"crm_person_id": 404}'},
            15: {"created_at": AFTER},
            20: {"audited_changes": UNREADABLE},
            31: {**linked, "auditable_type": "Crm::PeopleTicket", "audited_changes": "---\nticket_id: 44\n"},
            33: {**linked, "created_at": AFTER},
            40: {"created_at": None},
            41: {"auditable_type": "Ticket", "audited_changes": "---\nticket_status_id:\n- 1\n- 4\n"},
            50: {"audited_changes": UNREADABLE},
        }
        return [special.get(number, {"auditable_id": number + 1}) for number in range(ROWS)]

    def _documents_of_others(self) -> list[Document]:
        m = self.m
        live: Document = {"customer_id": m.customer(1), "category": "deal", "action": "link", "source": "crm"}
        live |= {"attributes": [], "actor": {"id": "u", "name": "U"}}
        feed = {**live, "_id": "feed", "company_sso_id": m.company, "metadata": {"entity_type": "deal"}}
        feed |= {"timestamp": BEFORE}
        # As the live feed wrote it, but for its time: without a name, which enrichment adds.
        matching = {**feed, "_id": "feed-2", "timestamp": AFTER + timedelta(seconds=1)}
        matching["metadata"] = {"entity_type": "deal", "entity_id": "5"}
        elsewhere = {**live, "company_sso_id": "another", "timestamp": BEFORE, "metadata": {}}
        # Stands where audit 46's document belongs, so that one cannot be written.
        squatter = {**elsewhere, "_id": ActivityLogs(m.db, m.company).document_id(46), "external_id": "crm_audit:46"}
        squatter["source_tag"] = "crm_migration"
        loaded = {**feed, "_id": "loaded", "external_id": "crm_audit:25", "source_tag": "crm_migration"}
        return [feed, matching, {**elsewhere, "_id": "elsewhere"}, squatter, loaded]

    def begin_anew(self) -> None:
        """As it was before any migration."""
        for name in ("activity_logs", "crm_activity_log_migration_jobs", "migration_failures", "alert_causes"):
            self.m.db[name].delete_many({})
        self.m.db["activity_logs"].insert_many([dict(document) for document in self.others])

    def doomed(self, work: Work = "migration", **config: Any) -> DoomedMigration:
        settings = CONFIG if work == "migration" else {}
        return DoomedMigration(
            dict(self.m.env), self.m.db.name, self.m.crm.dsn, self.m.company, work, {**settings, **config}
        )

    def go_on(self) -> None:
        """Start again, unless the run was killed after its job had ended and only its own report was lost."""
        if not self.has_ended():
            assert self.m.run(config=CONFIG).success

    def has_ended(self) -> bool:
        jobs = self.m.db["crm_activity_log_migration_jobs"]
        return jobs.count_documents({"status": "completed_with_errors"}) == 1

    def documents(self) -> list[Document]:
        """All documents of all companies, every field."""
        return sorted(self.m.db["activity_logs"].find({}), key=lambda document: str(document["_id"]))

    def quarantine(self) -> list[Document]:
        kept = self.m.db["migration_failures"].find({}, {"_id": 0, "job_id": 0, "at": 0, "expires_at": 0})
        return sorted(({**row, "replay_id": None} for row in kept), key=lambda row: row["source_id"])

    def assert_same_end(self, expected: "Ended") -> None:
        assert self.documents() == expected.documents
        assert self.quarantine() == expected.quarantine
        job = self.m.job()
        assert_adds_up(job)
        assert job["records_processed"] == job["records_total"] == ROWS
        assert_same_outcomes(job, expected.job)
        assert job["reconciliation"] == expected.job["reconciliation"]
        assert job["enrichment"]["done"] is True
        assert "lease" not in job
        identifiers = [document["external_id"] for document in self.m.logs()]
        assert len(identifiers) == len(set(identifiers))

    def end(self) -> "Ended":
        return Ended(self.documents(), self.quarantine(), self.m.job())


class Ended:
    """How an uninterrupted run left everything."""

    def __init__(self, documents: list[Document], quarantine: list[Document], job: Document) -> None:
        self.documents, self.quarantine, self.job = documents, quarantine, job


def assert_same_outcomes(job: Document, expected: Document) -> None:
    """A page that was written but not counted is counted as present when it is gone through again; all else is same."""
    assert job["status"] == expected["status"]
    assert job["match_pct"] == expected["match_pct"]
    assert job["records_failed"] == expected["records_failed"]
    rows = [sorted((row["id"], row["reason_code"]) for row in each["failed_rows"]) for each in (job, expected)]
    assert rows[0] == rows[1]
    present = [each["records_skipped"].get("duplicate_external_id", 0) for each in (job, expected)]
    assert job["records_migrated"] + present[0] == expected["records_migrated"] + present[1]
    reasons = [
        {reason: number for reason, number in each["records_skipped"].items() if reason != "duplicate_external_id"}
        for each in (job, expected)
    ]
    assert reasons[0] == reasons[1]


@pytest.fixture
def company(make_migrations: Callable[..., Migrations]) -> Company:
    return Company(make_migrations(lease_seconds=0))


def spread(reached: int, number: int, *, first: int = 1) -> range:
    """So many instants from first to last; an odd step, so that both sent and answered commands are among them."""
    return range(first, reached, max(reached // number, 1) | 1)


def migrated(company: Company) -> Ended:
    assert company.m.run(config=CONFIG).success
    return company.end()


def test_an_uninterrupted_run_has_every_outcome(company: Company) -> None:
    job = migrated(company).job
    assert set(job["records_skipped"]) == {
        "unmapped_action_type", "contact_not_found", "post_sync_live_feed", "duplicate_external_id",
    }  # fmt: skip
    assert {row["reason_code"] for row in job["failed_rows"]} == {
        "unreadable_changes", "invalid_timestamp", "write_failed",
    }  # fmt: skip
    assert set(job["notes"]) == {"actor_deleted", "actor_unresolved"}
    assert job["enrichment"]["counts"]["enriched"] >= 3


def test_killed_anywhere_and_started_again(company: Company) -> None:
    expected = migrated(company)
    company.begin_anew()
    reached = migrate_and_die(company.doomed())
    company.assert_same_end(expected)
    instants = spread(reached, 26)
    assert len(instants) >= 25
    for instant in instants:
        company.begin_anew()
        assert migrate_and_die(company.doomed().at(instant)) == -9
        company.go_on()
        company.assert_same_end(expected)


def test_killed_twice_in_a_row(company: Company) -> None:
    expected = migrated(company)
    company.begin_anew()
    reached = migrate_and_die(company.doomed())
    for instant in spread(reached, 3, first=reached // 5):
        company.begin_anew()
        assert migrate_and_die(company.doomed().at(instant)) == -9
        if not company.has_ended():
            migrate_and_die(company.doomed().at(instant // 2))
        company.go_on()
        company.assert_same_end(expected)


def test_a_rollback_killed_anywhere_and_repeated(company: Company) -> None:
    m = company.m
    untouched = [document for document in company.others if document["_id"] != "loaded"]
    reached = 0
    for number in range(6):
        company.begin_anew()
        migrated(company)
        natives = [d for d in company.documents() if d.get("source_tag") is None or d["company_sso_id"] != m.company]
        if number == 0:
            reached = migrate_and_die(company.doomed("rollback"))
        else:
            assert migrate_and_die(company.doomed("rollback").at(reached * number // 6)) == -9
            ended = m.job()["status"] == "rolled_back"
            assert m.rollback().success
            assert ended or m.job()["status"] == "rolled_back"
        assert company.documents() == natives
        assert len(natives) == len(untouched)
        assert company.quarantine() == []
        assert "lease" not in m.job()


def test_a_replay_killed_anywhere_and_repeated(company: Company) -> None:
    from cdp_pipelines.pipelines.migrations.replay import replay

    m = company.m

    def prepare() -> None:
        """Migrated, and one of the rows that failed mended since."""
        company.begin_anew()
        m.crm.connection.execute("UPDATE audits SET audited_changes = %s WHERE id = 21", (UNREADABLE,))
        migrated(company)
        m.crm.connection.execute("UPDATE audits SET audited_changes = '--- {}' WHERE id = 21")

    prepare()
    replay(m.services(), m.company, "uninterrupted")
    expected = company.end()
    assert expected.job["records_failed"] == len(expected.quarantine) == len(expected.job["failed_rows"]) == 3
    prepare()
    reached = migrate_and_die(company.doomed("replay"))
    company.assert_same_end(expected)
    for instant in spread(reached, 7):
        prepare()
        assert migrate_and_die(company.doomed("replay").at(instant)) == -9
        # The clock of these services counts whole seconds.
        replay(m.services(ahead=timedelta(seconds=1)), m.company, "again")
        company.assert_same_end(expected)
