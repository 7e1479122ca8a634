"""Rolling a company's migration back: what goes, what stays, who may, and in which portions."""

from typing import Any

import dagster as dg
import pytest
from bson import ObjectId
from pymongo import monitoring

from cdp_pipelines.stores.activity_logs import ActivityLogs
from cdp_pipelines.stores.migrated_documents import DELETE_ROWS
from cdp_pipelines_tests.integration.pipelines.migration_harness import BEFORE, SYNCED, Document, Migrations

UNREADABLE = "---\nname:\n\t- a\n"


def said(result: dg.ExecuteInProcessResult) -> str:
    return " ".join(
        event.step_failure_data.error.to_string()
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.error
    )


def document(company: str, **changes: Any) -> Document:
    return {
        "company_sso_id": company, "customer_id": "c" * 24, "category": "deal", "action": "update", "attributes": [],
        "actor": {"id": "u", "name": "U"}, "timestamp": BEFORE, "source": "crm", "metadata": {}, **changes,
    }  # fmt: skip


def loaded(company: str, number: int, **changes: Any) -> Document:
    """As the gateway's batch route writes it: migrated, under an `_id` of MongoDB's own."""
    tags = {"source": "crm_migration", "source_tag": "crm_migration", "external_id": f"crm_audit:{number}"}
    return document(company, **tags, **changes)


def everything(m: Migrations, **query: Any) -> list[Document]:
    return sorted(m.db["activity_logs"].find(query), key=lambda found: str(found["_id"]))


def own_id(m: Migrations, number: int) -> ObjectId:
    return ActivityLogs(m.db, m.company).document_id(number)


class Deletes(monitoring.CommandListener):
    """The delete commands on activity logs: their filters, and how many documents each took away."""

    def __init__(self) -> None:
        self.filters: list[Document] = []
        self.numbers: list[int] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "delete" and event.command["delete"] == "activity_logs":
            self.filters += [dict(each["q"]) for each in event.command["deletes"]]

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if event.command_name == "delete" and len(self.numbers) < len(self.filters):
            self.numbers.append(int(event.reply["n"]))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not needed."""


def test_only_the_companys_migrated_documents_go(migrations: Migrations) -> None:
    m = migrations
    other, other_cid = m.add_company(people=1)
    comment = f'{{"crm_person_id": {(other_cid - 1) * 1_000 + 1}}}'
    m.crm.audit(other_cid, comment=comment)
    m.fill(12, unreadable=[11])
    m.crm.audit(other_cid, comment=comment, audited_changes=UNREADABLE)
    assert m.run().success
    m.run(company=other)
    stays = [
        document(m.company),
        document(m.company, external_id="gateway:1"),
        document(m.company, external_id="crm_audit:900"),
        document(m.company, source_tag="something_else", external_id="crm_audit:901"),
        loaded("another", 902),
        document("another"),
    ]
    goes = [loaded(m.company, 950), loaded(m.company, 951, _id="a text")]
    m.db["activity_logs"].insert_many([*stays, *goes])
    ids = [found["_id"] for found in stays]
    kept = everything(m, **{"$or": [{"company_sso_id": other}, {"_id": {"$in": ids}}]})
    assert len(kept) == len(stays) + 1
    assert m.db["migration_failures"].count_documents({"company_sso_id": m.company}) == 1
    result = m.rollback()
    assert result.success
    assert everything(m) == kept
    job = m.job()
    assert (job["status"], job["records_rolled_back"], "lease" in job) == ("rolled_back", 13, False)
    assert m.db["migration_failures"].count_documents({"company_sso_id": m.company}) == 0
    assert m.db["migration_failures"].count_documents({"company_sso_id": other}) == 1
    (observed,) = [event for event in result.all_events if event.event_type_value == "ASSET_OBSERVATION"]
    metadata = observed.asset_observation_data.asset_observation.metadata
    assert (metadata["deleted"].value, metadata["status"].value) == (13, "rolled_back")
    (event,) = [event for event in result.all_events if event.event_type_value == "ASSET_CHECK_EVALUATION"]
    evaluation = event.asset_check_evaluation_data
    assert (evaluation.check_name, evaluation.partition, evaluation.passed) == ("match_pct", m.company, False)
    assert evaluation.metadata["status"].value == "rolled_back"
    assert job["match_pct"] is None
    assert job["reconciliation"] is None


def test_a_second_rollback_deletes_nothing_and_a_start_migrates_all_again(migrations: Migrations) -> None:
    m = migrations
    m.fill(15, unreadable=[14])
    assert m.run().success
    before, first = m.logs(), m.job()["_id"]
    assert m.rollback().success
    second = m.rollback()
    assert second.success
    # The second takes nothing out, and what the first took out stays told.
    (observed,) = [event for event in second.all_events if event.event_type_value == "ASSET_OBSERVATION"]
    metadata = observed.asset_observation_data.asset_observation.metadata
    assert (metadata["deleted"].value, metadata["deleted_in_all"].value) == (0, 14)
    assert (m.job()["records_rolled_back"], m.logs()) == (14, [])
    assert m.run().success
    job = m.job()
    assert job["_id"] != first
    assert (job["records_migrated"], job["records_failed"], job["records_skipped"]) == (14, 1, {})
    assert m.logs() == before
    assert m.db["migration_failures"].count_documents({"job_id": job["_id"]}) == 1


def test_a_company_that_was_never_migrated_is_rolled_back_of_what_others_loaded(migrations: Migrations) -> None:
    m = migrations
    m.db["activity_logs"].insert_one(loaded(m.company, 1))
    assert m.rollback().success
    assert everything(m) == []
    assert (m.job()["status"], m.job()["records_rolled_back"]) == ("rolled_back", 1)


@pytest.mark.any_mongo
@pytest.mark.parametrize("confirm", ["", "yes", "company", "COMPANY", " {} "])
def test_a_rollback_without_its_confirmation_is_refused(migrations: Migrations, confirm: str) -> None:
    m = migrations
    m.fill(3)
    assert m.run().success
    typed = confirm.replace("COMPANY", m.company.upper()).format(m.company)
    result = m.rollback(confirm=typed)
    assert not result.success
    assert "CONFIRMATION_REQUIRED" in said(result)
    assert (len(m.logs()), m.job()["status"]) == (3, "completed")


def test_the_queue_rolls_back_with_its_confirmation_once(migrations: Migrations) -> None:
    m = migrations
    m.fill(4)
    assert m.run().success
    request_id = m.request(action="rollback", confirm=m.company)
    (run_request,) = m.tick()
    assert run_request.job_name == "activity_logs_rollback"
    assert m.run_requested(run_request).success
    request = m.the_request(request_id)
    assert (request["status"], request["result"]["status"], request["result"]["records_rolled_back"]) == (
        "completed", "rolled_back", 4,
    )  # fmt: skip
    assert m.run().success
    # Terminal means terminal: the same request does not roll back what came after it.
    assert m.run_requested(run_request).success
    assert len(m.logs()) == 4


def test_while_a_migration_is_alive_a_rollback_is_told_so(migrations: Migrations) -> None:
    m = migrations
    m.fill(30)
    answers: list[tuple[str, Any]] = []

    def act(number: int) -> None:
        if number == 2:
            request_id = m.request(action="rollback", confirm=m.company)
            assert m.tick() == []
            answers.append((said(m.rollback()), m.the_request(request_id)))

    assert m.run(resource=m.at_insert(2, act), config={"page_rows": 10}).success
    ((text, request),) = answers
    assert "JOB_ALREADY_RUNNING" in text
    assert (request["status"], request["error"]["code"], request["error"]["http_status"]) == (
        "rejected", "JOB_ALREADY_RUNNING", 409,
    )  # fmt: skip
    assert (len(m.logs()), m.job()["status"], m.job()["match_pct"]) == (30, "completed", 100.0)


def test_a_halted_migration_can_be_rolled_back(migrations: Migrations) -> None:
    m = migrations
    m.fill(120, unreadable=range(50, 70))
    assert not m.run(config={"page_rows": 100}).success
    assert (m.job()["status"], len(m.logs())) == ("halted", 80)
    assert m.rollback().success
    assert (m.job()["status"], m.logs()) == ("rolled_back", [])


@pytest.mark.any_mongo
def test_the_flag_is_not_asked_to_undo(migrations: Migrations) -> None:
    m = migrations
    m.fill(3)
    assert m.run().success
    m.db["companies"].update_one({"_id": m.company}, {"$set": {"features": {}}})
    assert m.rollback().success
    assert m.logs() == []


def test_no_command_deletes_more_than_a_batch(migrations: Migrations) -> None:
    m = migrations
    rows = DELETE_ROWS + 150
    made = [loaded(m.company, number, _id=own_id(m, number)) for number in range(1, rows + 1)]
    strangers = [loaded(m.company, 100_000 + number) for number in range(rows)]
    natives = [document(m.company, timestamp=SYNCED) for _ in range(5)]
    m.db["activity_logs"].insert_many([*made, *strangers, *natives])
    listener = Deletes()
    resource = m.watching(listener)
    assert m.run("activity_logs_rollback", config={"confirm": m.company}, resource=resource).success
    assert listener.numbers == [DELETE_ROWS, 150, DELETE_ROWS, 150]
    for each in listener.filters:
        assert (each["company_sso_id"], each["source_tag"]) == (m.company, "crm_migration")
        assert len(each["_id"]["$in"]) <= DELETE_ROWS
    assert len(everything(m)) == 5
    assert m.job()["records_rolled_back"] == 2 * rows


def test_a_cancel_stops_a_rollback_within_a_batch_and_another_finishes_it(migrations: Migrations) -> None:
    m = migrations
    made = [loaded(m.company, number, _id=own_id(m, number)) for number in range(1, DELETE_ROWS + 501)]
    m.db["activity_logs"].insert_many(made)
    request_id = m.request(action="rollback", confirm=m.company)
    m.tick()

    class Ask(Deletes):
        def started(self, event: monitoring.CommandStartedEvent) -> None:
            super().started(event)
            if len(self.filters) == 1:
                m.db["migration_requests"].update_one({"_id": request_id}, {"$set": {"cancel_requested": True}})

    config = {"request_id": str(request_id), "confirm": m.company}
    assert not m.run("activity_logs_rollback", config=config, resource=m.watching(Ask())).success
    assert (len(m.logs()), m.the_request(request_id)["status"]) == (500, "canceled")
    assert m.rollback().success
    assert m.logs() == []
