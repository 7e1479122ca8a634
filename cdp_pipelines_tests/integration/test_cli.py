"""The `cdp` command against real servers, each test with a database of its own."""

import json
import os
import shlex
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database
from typer.testing import CliRunner, Result

from cdp_pipelines.cli.main import app
from cdp_pipelines.cli.services import close, contact_export_resource
from cdp_pipelines.domain.contact_export.delivery import object_key
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.object_keys import marked_random
from cdp_pipelines.local.crm_schema import create_crm_schema
from cdp_pipelines.local.demo_crm_tables import connected
from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.pipelines.contact_export.services import ExportServices
from cdp_pipelines.resources.email_message import OutgoingEmail
from cdp_pipelines.stores.migrations.catalogue import MIGRATIONS
from cdp_pipelines.stores.migrations.runner import Migrator
from cdp_pipelines_tests.support.inbox import Inbox

Db = Database[dict[str, Any]]
COMPANY = "company-a"
CONTENT = b"name\r\nAnn\r\n"
ASKED = ("export", "request", "--company", COMPANY, "--user", "user-1", "--email", "ann@example.com")


class Cdp:
    """Runs `cdp` and reads its JSON."""

    def __call__(self, *arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    def json(self, *arguments: object, exit_code: int = 0) -> Any:
        result = self(*arguments, "--json")
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    def error(self, *arguments: object, exit_code: int = 2) -> str:
        code = self.json(*arguments, exit_code=exit_code)["error"]["code"]
        assert isinstance(code, str)
        return code


@pytest.fixture
def cdp(
    environment: dict[str, str], migrated_db: Db, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Cdp:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDP_MONGO_DB", migrated_db.name)
    monkeypatch.setenv("CDP_S3_BUCKET", bucket)
    migrated_db["companies"].insert_one(
        {"_id": COMPANY, "cid": 1, "name": "A", "features": {"cdp_export_customer_enabled": True}}
    )
    return Cdp()


@pytest.fixture
def services(cdp: Cdp) -> Iterator[ExportServices]:
    resource = contact_export_resource()
    yield resource.services()
    close(resource)


def finished(services: ExportServices, tmp_path: Path, **changes: Any) -> str:
    """An export that ended with a file, as a run would leave it; returns its job_id."""
    job_id, document_id = str(uuid.uuid4()), ObjectId()
    owner = services.jobs.key_owner({"_id": document_id, "company_sso_id": COMPANY})
    random_part = marked_random(owner.mark, uuid.uuid4().hex)
    key = object_key(COMPANY, "csv", now=datetime.now(UTC), random_part=random_part)
    path = tmp_path / "source.csv"
    path.write_bytes(CONTENT)
    store = services.object_store()
    store.upload_file(path=path, key=key, content_type="text/csv", download_name="export.csv", request_id=job_id)
    link = store.presign(key, valid_seconds=60)
    document = {
        "_id": document_id, "job_id": job_id, "job_type": "export", "company_sso_id": COMPANY, "user_sso_id": "user-1",
        "status": "completed",
        "email": "ann@example.com", "contact_ids": ["x"], "success_count": 1, "total_records": 1, "object_key": key,
        "created_at": datetime.now(UTC),
        "result": {
            "key": key, "url": link.url, "file_name": "export.csv", "size_bytes": len(CONTENT),
            "expires_at": link.expires_at,
        },
        **changes,
    }  # fmt: skip
    services.jobs.insert(document)
    return job_id


def test_a_request_is_queued_shown_listed_and_canceled(cdp: Cdp, migrated_db: Db) -> None:
    asked = cdp.json(*ASKED, "--mode", "first_10k_sorted", "--format", "CSV", "--timezone", "Asia/Tokyo")
    assert asked["status"] == "queued"
    assert asked["warnings"] == []
    job_id = asked["job_id"]
    document = migrated_db["bulk_upload_jobs"].find_one({"job_id": job_id})
    assert document is not None
    assert document["permissions"] == ["customers_customers_export"]
    assert cdp.json("export", "status", job_id)["status"] == "queued"
    assert [job["job_id"] for job in cdp.json("export", "list", "--company", COMPANY)] == [job_id]
    assert cdp.json("export", "list", "--company", "other") == []
    assert cdp.json("export", "list", "--status", "completed") == []
    assert cdp.json("export", "cancel", job_id)["cancel_requested"] is True
    assert migrated_db["bulk_upload_jobs"].count_documents({"job_id": job_id, "cancel_requested": True}) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (("--company", "nobody", "--mode", "filter"), "FLAG_DISABLED"),
        (("--permission", "something_else"), "FORBIDDEN"),
        (("--id", "not-an-id"), "EXPORT_REQUEST_INVALID"),
        (("--filter", '{"name": {"$ne": 1}}', "--mode", "filter"), "EXPORT_REQUEST_INVALID"),
        (("--mode", "everything"), "EXPORT_SELECTION_MODE_INVALID"),
        ((), "EXPORT_SELECTION_MODE_INVALID"),
        (("--mode", "filter", "--format", "pdf"), "EXPORT_FORMAT_INVALID"),
    ],
)
def test_a_refused_request_is_not_queued(cdp: Cdp, migrated_db: Db, changes: tuple[str, ...], code: str) -> None:
    assert cdp.error(*ASKED, *changes) == code
    assert migrated_db["bulk_upload_jobs"].count_documents({}) == 0
    shown = cdp(*ASKED, *changes)
    assert f"✘ {code} (" in shown.stderr
    assert shown.stdout == ""


def test_too_many_ids_of_a_file_are_refused(cdp: Cdp, tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text("\n".join(str(ObjectId()) for _ in range(10_001)))
    assert cdp.error(*ASKED, "--ids-file", path) == "EXPORT_LIMIT_EXCEEDED"


def test_the_rate_limit_holds_here_too(cdp: Cdp, migrated_db: Db) -> None:
    for _ in range(5):
        cdp.json(*ASKED, "--mode", "first_10k_sorted")
    assert cdp.error(*ASKED, "--mode", "first_10k_sorted") == "EXPORT_RATE_LIMIT_EXCEEDED"
    assert migrated_db["bulk_upload_jobs"].count_documents({}) == 5


def test_without_indexes_nothing_is_queued(cdp: Cdp, migrated_db: Db) -> None:
    later = [migration.number for migration in MIGRATIONS[1:]]
    assert cdp.json("migrate-indexes", "down", "--to", "1")["taken_back"] == later[::-1]
    assert cdp.error(*ASKED, "--mode", "first_10k_sorted", exit_code=1) == "MIGRATIONS_PENDING"
    assert [row["applied"] for row in cdp.json("migrate-indexes", "status", exit_code=1)] == [
        True,
        *[False] * len(later),
    ]
    assert cdp.json("migrate-indexes", "up")["applied"] == later
    assert cdp.json("migrate-indexes", "up")["applied"] == []
    assert all(row["applied"] for row in cdp.json("migrate-indexes", "status"))


@pytest.mark.parametrize(("status", "exit_code"), [("completed", 0), ("failed", 1), ("canceled", 1)])
def test_waiting_ends_with_the_export(cdp: Cdp, services: ExportServices, status: str, exit_code: int) -> None:
    job_id = cdp.json(*ASKED, "--mode", "first_10k_sorted")["job_id"]
    ending = Thread(target=lambda: services.jobs.end(job_id, COMPANY, status, now=datetime.now(UTC)))
    ending.start()
    assert cdp.json("export", "status", job_id, "--watch", exit_code=exit_code)["status"] == status
    ending.join()


def test_waiting_does_not_last_for_ever(cdp: Cdp) -> None:
    assert cdp.error(*ASKED, "--mode", "first_10k_sorted", "--wait", "--timeout", 1, exit_code=1) == "WAIT_TIMED_OUT"


@pytest.mark.parametrize("way", [(), ("--link",)])
def test_a_file_is_fetched_whole(cdp: Cdp, services: ExportServices, tmp_path: Path, way: tuple[str, ...]) -> None:
    job_id = finished(services, tmp_path)
    answer = cdp.json("export", "download", job_id, *way)
    assert answer["size_bytes"] == len(CONTENT)
    assert (tmp_path / "export.csv").read_bytes() == CONTENT
    assert cdp.error("export", "download", job_id, *way) == "FILE_EXISTS"
    cdp.json("export", "download", job_id.upper(), *way, "--force")


@pytest.mark.parametrize("way", [(), ("--link",)])
def test_of_a_wrong_or_missing_file_nothing_stays(
    cdp: Cdp, services: ExportServices, migrated_db: Db, tmp_path: Path, way: tuple[str, ...]
) -> None:
    job_id = finished(services, tmp_path)
    folder = tmp_path / "downloads"
    folder.mkdir()
    migrated_db["bulk_upload_jobs"].update_one({"job_id": job_id}, {"$set": {"result.size_bytes": 999}})
    error = cdp.error("export", "download", job_id, "-o", folder, *way, exit_code=1)
    assert error == "EXPORT_FILE_INCOMPLETE"
    document = services.jobs.find(job_id)
    assert document is not None
    services.object_store().delete(document["object_key"])
    assert cdp.error("export", "download", job_id, "-o", folder, *way, exit_code=1) == "EXPORT_FILE_GONE"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"result.key": "private/exports/company-b/export_20240501T100203Z_x.csv"},
        {"result.key": "company-b/exports/2024/05/orders-x.csv", "result.url": "https://s3.example/x"},
        {"result.url": "https://s3.example/private/exports/company-b/x.csv"},
        {"result.url": "http://169.254.169.254/latest/meta-data/"},
    ],
)
@pytest.mark.parametrize("way", [(), ("--link",)])
def test_a_document_leads_to_no_file_of_another(
    cdp: Cdp, services: ExportServices, migrated_db: Db, tmp_path: Path, way: tuple[str, ...], changes: dict[str, str]
) -> None:
    job_id = finished(services, tmp_path)
    migrated_db["bulk_upload_jobs"].update_one({"job_id": job_id}, {"$set": changes})
    error = cdp.error("export", "download", job_id, "-o", tmp_path / "x", *way, exit_code=1)
    assert error == "OBJECT_KEY_FOREIGN"
    assert not (tmp_path / "x").exists()


def test_a_purge_asks_first_and_leaves_nothing_personal(
    cdp: Cdp, services: ExportServices, migrated_db: Db, tmp_path: Path
) -> None:
    job_id = finished(services, tmp_path)
    key = (services.jobs.find(job_id) or {})["object_key"]
    assert cdp.error("export", "purge", job_id, "--by", "steward") == "CONFIRMATION_MISSING"
    assert services.object_store().exists(key)
    assert cdp.json("export", "purge", job_id, "--by", "steward", "--yes")["purged"] is True
    assert not services.object_store().exists(key)
    document = services.jobs.find(job_id) or {}
    assert not {"email", "contact_ids", "result"} & document.keys()
    audit = migrated_db["export_audit"].find_one({"job_id": job_id, "action": "purged"})
    assert audit is not None
    assert audit["purged_by"] == "steward"
    assert cdp.error("export", "download", job_id) == "EXPORT_HAS_NO_FILE"


def test_an_open_export_is_not_purged_and_an_ended_one_not_canceled(
    cdp: Cdp, services: ExportServices, tmp_path: Path
) -> None:
    waiting = cdp.json(*ASKED, "--mode", "first_10k_sorted")["job_id"]
    assert cdp.error("export", "purge", waiting, "--by", "me", "--yes") == "EXPORT_NOT_ENDED"
    assert cdp.error("export", "cancel", finished(services, tmp_path)) == "EXPORT_ENDED"


def test_all_failed_rows_are_shown(cdp: Cdp, services: ExportServices, tmp_path: Path) -> None:
    job_id = finished(services, tmp_path, status="partial")
    rows = [RowFailure(id=f"{n:04}", reason_code="contact_not_found", details="gone") for n in range(1_500)]
    services.records.add_failures(job_id, COMPANY, rows, now=datetime.now(UTC))
    services.records.add_failures(job_id, "other", [RowFailure("x", "r", "d")], now=datetime.now(UTC))
    assert [row["id"] for row in cdp.json("export", "failures", job_id)] == [row.id for row in rows]
    assert cdp("export", "failures", job_id).stdout.splitlines()[0] == "0000\tcontact_not_found\tgone"


def test_an_unknown_job_is_refused(cdp: Cdp) -> None:
    for command in (("status",), ("cancel",), ("download",), ("failures",), ("purge", "--by", "x", "--yes")):
        assert cdp.error("export", *command, str(uuid.uuid4())) == "EXPORT_NOT_FOUND"


def findings(cdp: Cdp, *arguments: str, exit_code: int = 0) -> dict[str, str]:
    answer = cdp.json("doctor", *arguments, exit_code=exit_code)
    return {f"{finding['system']}/{finding['check']}": finding["state"] for finding in answer["findings"]}


def test_the_doctor_finds_a_healthy_system_healthy(
    cdp: Cdp, services: ExportServices, stack_env: dict[str, str]
) -> None:
    connected(stack_env["CRM_AUDIT_DATABASE_URL"], create_crm_schema)
    found = findings(cdp, "--skip", "dagster", "--fix-expiry-rule")
    assert "broken" not in found.values()
    for check in (
        "mongodb/reachable", "mongodb/version", "mongodb/migrations", "s3/bucket", "s3/region", "s3/write and read",
        "s3/link", "s3/clock", "s3/delete", "s3/expiry rule", "mail/reachable", "notifications/reachable",
        "crm/tables", "launchpad/reachable", "alerts/webhook", "temp/folder", "limits/rate",
    ):  # fmt: skip
        assert found[check] == "ok", check
    assert services.object_store().list_keys("private/exports/.doctor") == []


def test_the_doctor_sees_dagsters_storage_and_settings(cdp: Cdp, stack_env: dict[str, str]) -> None:
    # Whether a daemon was heard lately depends on the tests before.
    answer = json.loads(cdp("doctor", "--only", "dagster", "--json").stdout)
    found = {finding["check"]: finding["state"] for finding in answer["findings"]}
    assert found["storage"] == found["dagster.yaml"] == "ok"
    assert "run storage" not in found


def test_the_doctor_sees_that_no_daemon_runs(cdp: Cdp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    assert findings(cdp, "--only", "dagster", exit_code=1)["dagster/dagster.yaml"] == "broken"
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    found = findings(cdp, "--only", "dagster", exit_code=1)
    assert found["dagster/daemon sensor"] == found["dagster/daemon queued_run_coordinator"] == "broken"
    assert found["dagster/run storage"] == "note"
    (home / "dagster.yaml").write_text("no_such_setting: 1\n")
    assert findings(cdp, "--only", "dagster", exit_code=1)["dagster/dagster.yaml"] == "broken"


def test_the_doctor_names_what_is_broken(
    cdp: Cdp, migrated_db: Db, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Migrator(migrated_db).down(0)
    found = findings(cdp, "--only", "mongodb", "--only", "s3", exit_code=1)
    assert found["mongodb/migrations"] == "broken"
    assert found["s3/expiry rule"] == "broken"
    monkeypatch.setenv("CDP_S3_BUCKET", f"{bucket}-not")
    assert findings(cdp, "--only", "s3", exit_code=1) == {"s3/OBJECT_STORE_BUCKET_MISSING": "broken"}
    monkeypatch.setenv("NOTIFICATION_API_ROOT_URL", "http://127.0.0.1:9")
    assert findings(cdp, "--only", "notifications", exit_code=1) == {"notifications/reachable": "broken"}


@pytest.mark.parametrize(
    ("setting", "value", "system"),
    [
        ("CDP_MONGO_URI", "mongodb://user:s3cret@127.0.0.1:9/?serverSelectionTimeoutMS=200", "mongodb"),
        ("DAGSTER_PG_URL", "postgresql://user:s3cret@127.0.0.1:9/dagster", "dagster"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret", "s3"),
        ("CDP_MONGO_URI", "nonsense://user:s3cret@h/", "mongodb"),
    ],
)
def test_the_doctor_tells_no_secrets(
    cdp: Cdp, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, system: str
) -> None:
    monkeypatch.setenv(setting, value)
    result = cdp("doctor", "--only", system)
    assert result.exit_code == 1
    assert "✘" in result.stdout
    assert "s3cret" not in result.output


def test_mails_are_listed_newest_first_shown_and_saved(
    cdp: Cdp, services: ExportServices, stack: LocalStack, maildir: Inbox, tmp_path: Path
) -> None:
    to = f"{uuid.uuid4().hex}@example.com"
    for variant in ("failed", "succeeded"):
        services.mailer().send(
            OutgoingEmail(
                to=to,
                subject=f"It {variant}",
                text="Hello.",
                html="<p>Hello.</p>",
                message_id=f"<export.job-1.{variant}@cdp.example>",
                headers={"X-Request-ID": "job-1"},
            )
        )
    root = ("--root", stack.root)
    listed = cdp.json("mail", "--to", to, *root)
    assert [(mail["number"], mail["variant"]) for mail in listed] == [(1, "succeeded"), (2, "failed")]
    assert cdp.json("mail", "list", "--to", to, *root) == listed
    shown = cdp("mail", "show", "2", "--to", to, *root).stdout
    assert "It failed" in shown
    assert shown.rstrip().endswith("Hello.")
    cdp.json("mail", "save", "1", tmp_path / "saved", "--to", to, *root)
    assert (tmp_path / "saved" / "page.html").read_text().strip() == "<p>Hello.</p>"
    assert cdp.error("mail", "show", "3", "--to", to, *root) == "MAIL_NOT_FOUND"


def test_the_local_servers_are_shown(cdp: Cdp, stack: LocalStack, stack_env: dict[str, str]) -> None:
    root = ("--root", stack.root)
    status = cdp.json("local", "status", *root)
    assert {server["condition"] for server in status["servers"]} == {"running"}
    assert cdp.json("local", "env", *root) == stack_env
    assert f"export CDP_MONGO_URI={shlex.quote(stack_env['CDP_MONGO_URI'])}" in cdp("local", "env", *root).stdout
    assert cdp.error("local", "env", "--root", stack.root / "none", exit_code=1) == "LOCAL_STACK_DOWN"


def test_a_shell_without_settings_uses_the_local_servers_and_says_so_once(
    cdp: Cdp, stack: LocalStack, migrated_db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setenv("CDP_LOCAL_ROOT", str(stack.root))
    monkeypatch.delenv("CDP_MONGO_URI")
    result = cdp("export", "list", "--json")
    assert json.loads(result.stdout) == []
    assert result.stderr.count("Using the local servers") == 1
    again = cdp("export", "list", "--json")
    assert "Using the local servers" not in again.stderr


def test_recent_exports_come_newest_first(cdp: Cdp, services: ExportServices, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ids = [finished(services, tmp_path, created_at=now - timedelta(minutes=n)) for n in range(3)]
    assert [job["job_id"] for job in cdp.json("export", "list", "--limit", 2)] == ids[:2]
    assert ids[0] in cdp("export", "list").stdout
