"""`cdp export` for entity exports on real servers: what it queues the pipeline runs, and what came of it it shows."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pymongo.database import Database

from cdp_pipelines.domain.entity_export.webhook import company_secret
from cdp_pipelines_tests.integration.pipelines.entity_harness import SIGNING_KEY, EntityExportsOf
from cdp_pipelines_tests.integration.test_cli import Cdp

Db = Database[dict[str, Any]]
SECRET_URL = "https://hooks.example.com/in/s3cret?key=s3cret"
FILTER = '{"status": {"conditions": {"$is": ["PAID"]}}, "metadata": {"tier": {"conditions": {"$is_not": ["s3cret"]}}}}'


@pytest.fixture
def entities(
    environment: dict[str, str], mongo_db: Db, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[EntityExportsOf]:
    """A company, and the environment that leads `cdp` to it; parts are so small that 1,000 rows make some."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDP_MONGO_DB", mongo_db.name)
    monkeypatch.setenv("CDP_S3_BUCKET", bucket)
    monkeypatch.setenv("CDP_WEBHOOK_SIGNING_KEY", SIGNING_KEY)
    made = EntityExportsOf(
        {**environment, "CDP_S3_BUCKET": bucket}, mongo_db, tmp_path, page_rows=100, part_bytes=2_000
    )
    yield made
    made.close()


@pytest.fixture
def cdp(entities: EntityExportsOf) -> Cdp:
    return Cdp()


def ask(cdp: Cdp, entities: EntityExportsOf, *options: object) -> str:
    """Ask for an export of orders; returns its id."""
    answer = cdp.json("export", "request", "--company", entities.company, "--object", "order", *options)
    assert (answer["status"], answer["warnings"]) == ("SCHEDULED", [])
    return str(answer["job_id"])


def run_queue(entities: EntityExportsOf) -> None:
    """What the daemon does with the queue."""
    for request in entities.tick():
        entities.run(request)


def test_from_the_request_to_the_file_and_its_purge(cdp: Cdp, entities: EntityExportsOf, tmp_path: Path) -> None:
    entities.add_orders(3)
    export_id = ask(
        cdp, entities, "--field", "id", "--field", "amount", "--order", "-amount", "--format", "ndjson", "--filter",
        FILTER, "--timezone", "Asia/Jakarta", "--user", "user-1", "--email", "ann@example.com",
    )  # fmt: skip
    assert export_id.startswith("exp_")
    assert cdp.error("export", "purge", export_id, "--by", "me", "--yes") == "EXPORT_NOT_ENDED"
    assert cdp.error("export", "download", export_id) == "EXPORT_HAS_NO_FILE"
    # Somebody watches while the daemon works.
    working = Thread(target=run_queue, args=(entities,))
    working.start()
    done = cdp.json("export", "status", export_id, "--watch", "--timeout", 60)
    working.join()
    assert (done["status"], done["progress"], done["total"]) == ("DONE", 3, 3)
    assert done["parameters"]["filters"] == ["status $is", "metadata.tier $is_not"]
    for shown in (json.dumps(done), cdp("export", "status", export_id).output, cdp("export", "list").output):
        assert not any(secret in shown for secret in ("ann@example.com", "s3cret", '"token"'))
    assert cdp.error("export", "cancel", export_id) == "EXPORT_ENDED"
    assert cdp.json("export", "failures", export_id) == []

    fetched = cdp.json("export", "download", export_id)
    content = Path(fetched["path"]).read_bytes()
    assert [json.loads(line)["amount"] for line in content.splitlines()] == [200, 100, 0]
    assert fetched["files"][0]["sha256"] == done["result"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert cdp.error("export", "download", export_id) == "FILE_EXISTS"
    by_link = cdp.json("export", "download", export_id, "--link", "-o", tmp_path / "linked")
    assert Path(by_link["path"]).read_bytes() == content

    # A document that lies about its file, and then no file at all: nothing stays.
    entities.db["exports"].update_one({"id": export_id}, {"$set": {"result.sha256": "0" * 64}})
    other = ("export", "download", export_id, "-o", tmp_path / "other")
    assert cdp.error(*other, exit_code=1) == "EXPORT_FILE_DAMAGED"
    assert cdp.error("export", "purge", export_id, "--by", "steward") == "CONFIRMATION_MISSING"
    assert cdp.json("export", "purge", export_id, "--by", "steward", "--yes")["purged"] is True
    assert entities.objects() == []
    assert cdp.error(*other) == "EXPORT_HAS_NO_FILE"
    assert not (tmp_path / "other").exists()
    audit = entities.db["export_audit"].find_one({"job_id": export_id, "action": "purged"})
    assert audit is not None
    assert audit["purged_by"] == "steward"


def test_all_parts_are_fetched_and_the_manifest_last(cdp: Cdp, entities: EntityExportsOf, tmp_path: Path) -> None:
    entities.add_orders(1_000)
    export_id = ask(cdp, entities, "--field", "id", "--order", "id")
    run_queue(entities)
    facts = cdp.json("export", "status", export_id)
    parts = facts["result"]["parts"]
    assert len(parts) > 2
    assert f"{len(parts)}\n" in cdp("export", "status", export_id).stdout
    answer = cdp.json("export", "download", export_id)
    folder = tmp_path / answer["path"]
    names = [Path(file["path"]).name for file in answer["files"]]
    assert names == [*(part["file_name"] for part in parts), facts["result"]["file_name"]]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    rows = b"".join((folder / name).read_bytes() for name in names[:-1]).decode().replace("\ufeff", "").split()
    assert [row for row in rows if row != "id"] == [f"ord_{n:06d}" for n in range(1_000)]
    manifest = json.loads((folder / names[-1]).read_text())
    assert [part["sha256"] for part in manifest["parts"]] == [part["sha256"] for part in parts]

    # Again: what is here, whole, is not fetched; what is another is not overwritten unasked.
    (folder / names[0]).unlink()
    cdp.json("export", "download", export_id, "--link")
    assert (folder / names[0]).exists()
    (folder / names[1]).write_text("mine")
    assert cdp.error("export", "download", export_id) == "FILE_EXISTS"
    entities.services().object_store().delete(entities.document(export_id)["result"]["parts"][1]["key"])
    assert cdp.error("export", "download", export_id, "--force", exit_code=1) == "EXPORT_FILE_GONE"
    assert (folder / names[1]).read_text() == "mine"


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("--company", "nobody"), "company_not_found"),
    (("--object", "vouchers"), "invalid_export_object"),
    (("--field", "nope"), "invalid_export_fields"),
    (("--order", "nope"), "invalid_export_order"),
    (("--filter", '{"$where": "1"}'), "invalid_export_filters"),
    (("--campaign-id", "c"), "invalid_export_filters"),
    (("--format", "pdf"), "invalid_export_format"),
    (("--template", "none"), "invalid_export_template"),
    (("--email", "nobody"), "invalid_export_parameters"),
    (("--webhook", "http://10.0.0.1/"), "invalid_export_parameters"),
    (("--id", "1", "--mode", "filter"), "OPTIONS_DO_NOT_FIT"),
]


def test_refused_requests_are_not_queued(cdp: Cdp, entities: EntityExportsOf, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("export", "request", "--company", entities.company, "--object", "order")
    for options, code in REFUSED:
        assert cdp.error(*asked, *options) == code, options
    shown = cdp(*asked, "--filter", '{"nope": 1}')
    assert shown.exit_code == 2
    assert "✘ invalid_export_filters (422)" in shown.stderr
    assert "allowed filters: id, source_id" in shown.stderr
    # Where nothing can sign them, webhooks are refused: they could never be sent.
    monkeypatch.delenv("CDP_WEBHOOK_SIGNING_KEY")
    shown = cdp(*asked, "--webhook", "https://hooks.example.com/x")
    assert shown.exit_code == 2
    assert "Webhooks are not set up here. CDP_WEBHOOK_SIGNING_KEY is not set." in shown.stderr
    assert entities.db["exports"].count_documents({}) == 0


def test_both_kinds_stand_in_one_list_newest_first(cdp: Cdp, entities: EntityExportsOf) -> None:
    entities.db["companies"].update_one(
        {"_id": entities.company}, {"$set": {"features.cdp_export_customer_enabled": True}}
    )
    contact = cdp.json(
        "export", "request", "--company", entities.company, "--user", "u", "--email", "a@example.com", "--mode",
        "first_10k_sorted",
    )["job_id"]  # fmt: skip
    entity = ask(cdp, entities)
    # Documents of others may be odd.
    entities.queue(5, id="exp_odd", created_at="yesterday", parameters="all", webhook=7)
    listed = cdp.json("export", "list")
    assert [job["job_id"] for job in listed] == [entity, contact, "exp_odd"]
    assert [job["job_id"] for job in cdp.json("export", "list", "--limit", 1)] == [entity]
    assert [job["job_id"] for job in cdp.json("export", "list", "--status", "scheduled", "--object", "order")] == [
        entity
    ]
    assert [job["job_id"] for job in cdp.json("export", "list", "--object", "contact")] == [contact]
    assert cdp.json("export", "list", "--company", "other") == []
    shown = cdp("export", "list").stdout
    assert all(text in shown for text in (entity, contact, "exp_odd", "order", "contact"))
    assert cdp("export", "status", "exp_odd").exit_code == 0
    assert cdp.error("export", "status", "exp_none") == "EXPORT_NOT_FOUND"

    assert cdp.json("export", "cancel", entity) == {"job_id": entity, "status": "SCHEDULED", "cancel_requested": True}
    run_queue(entities)
    assert cdp.json("export", "status", entity, "--watch", exit_code=1)["status"] == "CANCELED"
    assert cdp.json("export", "status", "exp_odd", "--watch", exit_code=2)["error"]["code"] == "invalid_export_object"


def test_a_template_is_saved_shown_used_and_removed(cdp: Cdp, entities: EntityExportsOf) -> None:
    entities.add_orders(1)
    company = ("--company", entities.company)
    saving = ("export", "template", "save", "paid", *company, "--object")
    assert cdp.error(*saving, "order", "--field", "nope") == "invalid_export_fields"
    assert cdp.json("export", "template", "list", *company) == []
    cdp.json(*saving, "order", "--field", "id", "--format", "JSON", "--filter", FILTER, "--user", "ann")
    (template,) = cdp.json("export", "template", "list", *company)
    assert template["parameters"]["filters"] == ["status $is", "metadata.tier $is_not"]
    assert "paid" in cdp("export", "template", "list", *company).stdout
    shown = cdp("export", "template", "show", "paid", *company).stdout
    assert "status $is" in shown
    assert "s3cret" not in shown
    assert cdp.json("export", "template", "list", "--company", "other") == []

    # A request that names the template alone knows the object from it.
    asked = ("export", "request", *company, "--template", "paid")
    export_id = cdp.json(*asked, "--format", "CSV")["job_id"]
    run_queue(entities)
    facts = cdp.json("export", "status", export_id)
    assert (facts["status"], facts["exported_object"], facts["template"]) == ("DONE", "order", "paid")
    assert facts["result"]["file_name"].endswith(".csv")
    assert cdp.error(*asked, "--object", "sku") == "invalid_export_template"

    cdp.json(
        "export", "schedule", "add", "n", *company, "--template", "paid", "--cron", "0 1 * * *", "--timezone", "UTC"
    )
    assert cdp.error("export", "template", "remove", "paid", *company) == "TEMPLATE_IN_USE"
    cdp.json("export", "schedule", "remove", "n", *company)
    assert cdp.json("export", "template", "remove", "paid", *company)["removed"] is True
    assert cdp.error("export", "template", "show", "paid", *company) == "TEMPLATE_NOT_FOUND"


def test_a_schedule_is_added_shown_paused_and_removed(cdp: Cdp, entities: EntityExportsOf) -> None:
    company = ("--company", entities.company)
    adding = ("export", "schedule", "add", "nightly", *company, "--object", "order")
    night = ("--cron", "30 2 * * *", "--timezone", "Asia/Jakarta")
    assert cdp.error(*adding, "--cron", "* * * * *", "--timezone", "UTC") == "schedule_too_frequent"
    assert cdp.error(*adding, "--cron", "often", "--timezone", "UTC") == "invalid_export_schedule"
    assert cdp.error(*adding, "--cron", "1 1 * * *", "--timezone", "Mars/Base") == "invalid_export_schedule"
    assert cdp.error(*adding, *night, "--order", "nope") == "invalid_export_order"
    added = cdp.json(*adding, *night, "--user", "ann", "--email", "ann@example.com", "--webhook", SECRET_URL)
    assert added["next_run"].endswith("02:30 +07:00")
    assert (added["parameters"]["timezone"], added["webhook_host"]) == ("Asia/Jakarta", "https://hooks.example.com")

    for shown in (cdp("export", "schedule", "list", *company), cdp("export", "schedule", "show", "nightly", *company)):
        assert added["next_run"] in shown.stdout
        assert not any(secret in shown.output for secret in ("ann@example.com", "s3cret"))

    # Its time comes.
    came = {"next_run_at": datetime.now(UTC) - timedelta(days=3)}
    entities.db["export_schedules"].update_one({"name": "nightly"}, {"$set": came, "$unset": {"webhook": ""}})
    run_queue(entities)
    (listed,) = cdp.json("export", "schedule", "list", *company)
    assert (listed["last_status"], listed["missed"]) == ("DONE", 3)
    assert cdp.json("export", "status", listed["last_export_id"])["schedule_id"] == listed["id"]
    assert listed["last_export_id"] in cdp("export", "schedule", "list", *company).stdout

    assert cdp.json("export", "schedule", "pause", "nightly", *company)["next_run"] is None
    assert "paused" in cdp("export", "schedule", "list", *company).stdout
    assert cdp.json("export", "schedule", "resume", "nightly", *company)["next_run"] == added["next_run"]
    assert cdp.json("export", "schedule", "list", "--company", "other") == []
    assert cdp.error("export", "schedule", "pause", "nightly", "--company", "other") == "SCHEDULE_NOT_FOUND"
    assert cdp.json("export", "schedule", "remove", "nightly", *company)["removed"] is True
    assert cdp.error("export", "schedule", "show", "nightly", *company) == "SCHEDULE_NOT_FOUND"


def test_operators_get_metrics_secrets_and_findings(
    cdp: Cdp, entities: EntityExportsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    entities.add_orders(2)
    ask(cdp, entities, "--webhook", "https://hooks.example.invalid/x")
    assert 'cdp_exports_open{status="SCHEDULED"} 1.0' in cdp("metrics").stdout
    entities.db["exports"].update_many({}, {"$unset": {"webhook": ""}})
    run_queue(entities)
    text = cdp("metrics").stdout
    assert 'cdp_exports_total{object="order",status="DONE"} 1.0' in text
    assert 'cdp_export_rows_total{object="order"} 2.0' in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")

    secret = cdp("export", "webhook-secret", "--company", entities.company)
    assert secret.stdout == company_secret(SIGNING_KEY, entities.company) + "\n"
    assert entities.company in secret.stderr
    assert cdp.error("export", "webhook-secret", "--company", "nobody") == "company_not_found"

    def webhooks(exit_code: int) -> str:
        answer = cdp.json("doctor", "--only", "entity-exports", exit_code=exit_code)
        (state,) = [each["state"] for each in answer["findings"] if each["check"] == "webhooks"]
        return str(state)

    assert webhooks(0) == "ok"
    monkeypatch.setenv("CDP_WEBHOOK_SIGNING_KEY", "too short")
    assert webhooks(1) == "broken"
    assert cdp.error("export", "webhook-secret", "--company", entities.company, exit_code=1) == "SETTING_INVALID"
    monkeypatch.delenv("CDP_WEBHOOK_SIGNING_KEY")
    assert webhooks(0) == "note"
    entities.queue(webhook={"url": "https://hooks.example.com/"})
    assert webhooks(1) == "broken"
