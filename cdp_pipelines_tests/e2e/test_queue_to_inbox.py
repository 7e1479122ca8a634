"""From an inserted document to the email, with a real daemon; then what it is like when things die on the way."""

import csv
import io
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from cdp_pipelines.domain.contact_export.delivery import TERMINAL_STATUSES
from cdp_pipelines.local.api_records import hook_path
from cdp_pipelines.pipelines.exports.config import MOST_LAUNCHES_A_TICK
from cdp_pipelines_tests.e2e.dagster_services import daemon
from cdp_pipelines_tests.integration.pipelines.harness import Document, Exports, contact_id
from cdp_pipelines_tests.support.apis import RecordedApis
from cdp_pipelines_tests.support.inbox import Inbox
from cdp_pipelines_tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)

SENSOR = "contact_export_requests"


def ended(live: Exports, job_id: str, seconds: float = 120) -> Document:
    def probe() -> Document | None:
        job = live.job(job_id)
        return job if job["status"] in TERMINAL_STATUSES else None

    return wait_for(f"the end of {job_id}", probe, seconds=seconds, every=0.25)


def test_an_inserted_document_becomes_an_email_with_the_very_rows(live: Exports, running_daemon: Path) -> None:
    asked = [contact_id(n) for n in (7, 3, 99)]
    job = ended(live, live.queue(contact_ids=asked, selected_fields=["name", "value"]))
    assert job["status"] == "completed"
    (email,) = live.emails(job["job_id"])
    assert job["result"]["url"] in email.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    downloaded = httpx.get(job["result"]["url"])
    table = list(csv.reader(io.StringIO(downloaded.content.decode("utf-8-sig"), newline="")))
    assert table == [
        ["Full name", "Deal value"],
        *[[f"Customer {n}", f"IDR {n * 1_000_000:,}"] for n in (7, 3, 99)],
    ]
    (attachment,) = email.iter_attachments()
    assert attachment.get_payload(decode=True) == downloaded.content


def test_an_entity_export_becomes_a_file_an_email_and_a_signed_webhook(
    live: Exports, running_daemon: Path, maildir: Inbox, http_apis: RecordedApis
) -> None:
    company, to = live.company, f"{live.company}@example.com"
    live.db["companies"].update_one({"_id": company}, {"$set": {"features.entity_exports_enabled": True}})
    now = datetime.now(UTC)
    live.db["orders"].insert_many(
        [
            {"company_sso_id": company, "id": f"ord_{n}", "amount": n, "created_at": now, "updated_at": now}
            for n in range(3)
        ]
    )
    export_id = f"exp_{uuid.uuid4().hex[:24]}"
    live.db["exports"].insert_one(
        {
            "id": export_id, "company_sso_id": company, "exported_object": "order", "status": "SCHEDULED",
            "channel": "API", "parameters": {"fields": ["id", "amount"], "order": "-amount"}, "user_sso_id": "user-1",
            "email": to, "locale": "en", "webhook": {"url": f"{http_apis.root_url}{hook_path(company)}"},
            "created_at": now, "updated_at": now,
        }
    )  # fmt: skip

    def told() -> Document | None:
        document = live.db["exports"].find_one({"id": export_id}) or {}
        ended_now = document["status"] in {"DONE", "ERROR", "CANCELED"}
        return document if ended_now and not document.get("notices_pending") else None

    export = wait_for("the end of the export and its notices", told, seconds=120, every=0.25)
    assert export["status"] == "DONE", export["error"]
    content = httpx.get(export["result"]["url"]).content
    table = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert table == [["id", "amount"], ["ord_2", "2"], ["ord_1", "1"], ["ord_0", "0"]]
    [mail] = maildir.wait(to=to)
    assert export["result"]["url"] in mail.text()
    # The receiver answers 204 to nothing but the company's own signature.
    [notice] = http_apis.requests(hook_path(company))
    assert (notice.status, notice.body["type"], notice.body["data"]["id"]) == (204, "export.done", export_id)


def test_a_link_stops_working_after_it_expires(live: Exports, running_daemon: Path) -> None:
    job = ended(live, live.queue())
    store = live.resource.object_store.open()
    link = store.presign(job["result"]["key"], valid_seconds=2)
    assert httpx.get(link.url).status_code == 200
    wait_for("the link's death", lambda: httpx.get(link.url).status_code == 403, seconds=20)


def test_every_kind_of_request_ends_rightly(live: Exports, running_daemon: Path) -> None:
    asked: dict[str, tuple[str, str | None]] = {
        live.queue(format="xlsx"): ("completed", None),
        live.queue(contact_ids=[contact_id(1), "f" * 24]): ("partial", None),
        live.queue(contact_ids=["f" * 24]): ("failed", "NO_CONTACT_FOUND"),
        live.queue(selected_fields=["salary"]): ("failed", "NO_USABLE_FIELD"),
        live.queue(permissions=[]): ("rejected", "FORBIDDEN"),
        live.queue(format="pdf"): ("rejected", "EXPORT_FORMAT_INVALID"),
        live.queue(cancel_requested=True): ("canceled", None),
    }
    for job_id, (status, code) in asked.items():
        job = ended(live, job_id)
        assert (job["status"], (job.get("error") or {}).get("code")) == (status, code)
        assert len(live.emails(job_id)) == (1 if status in {"completed", "partial", "failed"} else 0)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed (apt: libreoffice-calc)")
@pytest.mark.parametrize("file_format", ["xlsx", "csv"])
def test_libreoffice_opens_the_file_and_sees_the_same(
    live: Exports, running_daemon: Path, tmp_path: Path, file_format: str
) -> None:
    job = ended(live, live.queue(format=file_format, contact_ids=[contact_id(1), contact_id(2)]))
    source = tmp_path / f"export.{file_format}"
    source.write_bytes(live.content(job))
    out = tmp_path / "out"
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    # 44 comma, 34 quote, 76 UTF-8; the last true: cells as they are shown, formats included.
    shown_as = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true"
    reading = ["--infilter=CSV:44,34,76,1"] if file_format == "csv" else []
    arguments = ["soffice", profile, "--headless", *reading, "--convert-to", shown_as, "--outdir", str(out)]
    subprocess.run([*arguments, str(source)], check=True, capture_output=True, timeout=180)
    (converted,) = out.glob("*.csv")
    shown = list(csv.reader(io.StringIO(converted.read_text("utf-8-sig"), newline="")))
    created = "2024-05-01 07:01:00" if file_format == "xlsx" else "2024-05-01T07:01:00+07:00"
    assert shown[0] == ["Full name", "Created", "Deal value"]
    assert shown[1] == ["Customer 1", created, "IDR 1,000,000"]


def test_more_requests_at_once_than_a_tick_takes(live: Exports, running_daemon: Path) -> None:
    """Two of three were withdrawn: the queue gives them out like the others, and ends them without a process."""
    wanted: list[str] = []
    withdrawn: list[str] = []
    for number in range(MOST_LAUNCHES_A_TICK + 5):
        is_wanted = number % 3 == 0
        job_id = live.queue(contact_ids=[contact_id(number + 1)], cancel_requested=not is_wanted)
        (wanted if is_wanted else withdrawn).append(job_id)
    jobs = [ended(live, job_id, seconds=400) for job_id in wanted]
    assert {job["status"] for job in jobs} == {"completed"}
    assert len({job["result"]["key"] for job in jobs}) == len(jobs) == 10
    assert [len(live.emails(job_id)) for job_id in wanted] == [1] * 10
    assert {ended(live, job_id)["status"] for job_id in withdrawn} == {"canceled"}
    assert not any(live.emails(job_id) for job_id in withdrawn)
    assert len(live.objects()) == 10


def test_a_run_killed_half_way_is_swept_into_failed(
    live: Exports, running_daemon: Path, daemon_env: Mapping[str, str]
) -> None:
    live.add_contacts(live.company, 9_000, first=1_000)
    job_id = live.queue(contact_ids=..., selection_mode="first_10k_sorted", format="xlsx")

    def working() -> int | None:
        return live.job(job_id).get("success_count")

    wait_for("the first written batch", working, seconds=120)
    # A run is a child that its code server spawned; its command line says nothing, its work directory's name does.
    (folder,) = Path(daemon_env["CDP_TEMP_DIR"]).glob("cdp-export-*")
    os.kill(int(folder.name.split("-")[3]), signal.SIGKILL)
    written = live.job(job_id)["success_count"]
    assert 0 < written < 9_120
    job = ended(live, job_id, seconds=240)
    assert (job["status"], job["error"]["code"], job["success_count"]) == ("failed", "RUN_DIED", written)
    assert live.objects() == []
    (email,) = live.emails(job_id)
    assert not list(email.iter_attachments())
    assert ended(live, live.queue())["status"] == "completed"
    wait_for("the dead run's temporary files to go", lambda: not folder.exists())


def test_two_daemons_on_one_queue(
    live: Exports, running_daemon: Path, daemon_env: Mapping[str, str], tmp_path: Path
) -> None:
    """A second daemon with a storage of its own knows nothing of the first; the queue must be enough."""
    home = tmp_path / "second-home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    log = tmp_path / "second.log"
    with daemon({**daemon_env, "DAGSTER_HOME": str(home)}, log):
        # Its sensors tick; before, it could take nothing.
        wait_for("the second daemon", lambda: SENSOR in log.read_text(), seconds=120)
        job_ids = [live.queue(contact_ids=[contact_id(n + 1)]) for n in range(8)]
        jobs = [ended(live, job_id, seconds=300) for job_id in job_ids]
    assert {job["status"] for job in jobs} == {"completed"}
    assert [len(live.emails(job_id)) for job_id in job_ids] == [1] * 8
    assert len(live.objects()) == 8
    assert all(job["ended_at"] - job["started_at"] < timedelta(minutes=5) for job in jobs)


def test_no_personal_data_in_the_daemons_log(live: Exports, running_daemon: Path) -> None:
    job = ended(live, live.queue())
    text = running_daemon.read_text()
    assert job["job_id"] in text
    for secret in (f"{job['job_id']}@example.com", "Customer 1", "X-Amz-Signature"):
        assert secret not in text
