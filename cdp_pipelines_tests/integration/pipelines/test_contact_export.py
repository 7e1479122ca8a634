import csv
import io
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import openpyxl
import pytest
from bson import ObjectId

from cdp_pipelines.pipelines.contact_export.services import ContactExportResource
from cdp_pipelines.resources.export_history import ExportHistoryResource
from cdp_pipelines.resources.notifications import NotificationsResource
from cdp_pipelines.stores.deliveries import Channel
from cdp_pipelines_tests.integration.pipelines.harness import Exports, contact_id


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_named_contacts_arrive_in_the_order_asked(exports: Exports) -> None:
    job = exports.export(contact_ids=[contact_id(3), contact_id(1), contact_id(3)])
    assert job["status"] == "completed"
    assert rows(exports.content(job)) == [
        ["Full name", "Created", "Deal value"],
        ["Customer 3", "2024-05-01T07:03:00+07:00", "IDR 3,000,000"],
        ["Customer 1", "2024-05-01T07:01:00+07:00", "IDR 1,000,000"],
    ]
    assert (job["total_records"], job["success_count"], job["failed_count"]) == (2, 2, 0)
    assert job["expires_at"] - job["ended_at"] == timedelta(days=7)


@pytest.mark.any_mongo
def test_the_email_has_the_file_and_a_link_to_the_very_same(exports: Exports) -> None:
    job = exports.export(format="XLSX", selected_fields=["value", "name"])
    (email,) = exports.emails(job["job_id"])
    (attachment,) = email.iter_attachments()
    attached = attachment.get_content()
    downloaded = httpx.get(job["result"]["url"])
    assert downloaded.status_code == 200
    assert downloaded.content == attached == exports.content(job)
    assert downloaded.headers["content-disposition"].startswith("attachment; filename=")
    assert downloaded.headers["content-type"].startswith("application/vnd.openxmlformats")
    sheet = openpyxl.load_workbook(io.BytesIO(attached)).worksheets[0]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["Deal value", "Full name"], [1_000_000, "Customer 1"], [2_000_000, "Customer 2"],
    ]  # fmt: skip
    assert email["X-Request-ID"] == job["job_id"]
    assert job["result"]["url"] in email.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert email.get_body(("html",)) is not None


@pytest.mark.any_mongo
def test_the_link_is_the_companys_and_dies(exports: Exports) -> None:
    job = exports.export()
    assert job["result"]["key"].startswith(f"private/exports/{exports.company}/export_")
    left = job["result"]["expires_at"] - datetime.now(UTC)
    assert timedelta(hours=47, minutes=59) < left <= timedelta(hours=48)
    assert httpx.get(job["result"]["url"].replace("X-Amz-Expires=172800", "X-Amz-Expires=172801")).status_code == 403


def test_unknown_and_foreign_ids_are_failed_rows(exports: Exports) -> None:
    exports.add_contacts("another-company", 1, first=900)
    job = exports.export(contact_ids=[contact_id(1), contact_id(900), contact_id(901)])
    assert job["status"] == "partial"
    assert (job["total_records"], job["success_count"], job["failed_count"]) == (3, 1, 2)
    assert [(row["id"], row["reason_code"]) for row in job["list_failed_rows"]] == [
        (contact_id(900), "contact_not_found"), (contact_id(901), "contact_not_found"),
    ]  # fmt: skip
    assert exports.db["migration_failures"].count_documents({"job_id": job["job_id"]}) == 2
    (email,) = exports.emails(job["job_id"])
    assert len(list(email.iter_attachments())) == 1
    assert "Customer 900" not in exports.content(job).decode()


def test_none_found_is_a_failure_without_a_file(exports: Exports) -> None:
    job = exports.export(contact_ids=[contact_id(700), contact_id(701)])
    assert (job["status"], job["error"]["code"]) == ("failed", "NO_CONTACT_FOUND")
    assert job["failed_count"] == 2
    (email,) = exports.emails(job["job_id"])
    assert list(email.iter_attachments()) == []
    assert exports.objects() == []
    assert exports.leftovers() == []


def test_a_criterion_that_matches_nothing_is_a_header(exports: Exports) -> None:
    job = exports.export(
        contact_ids=..., selection_mode="filter", filter={"field": "name", "op": "eq", "value": "Nobody"}
    )
    assert job["status"] == "completed"
    assert rows(exports.content(job)) == [["Full name", "Created", "Deal value"]]


def test_the_first_ten_thousand_of_more(make_exports: Callable[..., Exports]) -> None:
    exports = make_exports(contacts=10_003)
    job = exports.export(
        contact_ids=..., selection_mode="first_10k_sorted", order_by="value", order_direction="desc",
        selected_fields=["name"],
    )  # fmt: skip
    assert (job["status"], job["truncated"], job["matched_count"]) == ("completed", True, 10_003)
    written = rows(exports.content(job))
    assert len(written) == 10_001
    assert (written[1], written[-1]) == (["Customer 10003"], ["Customer 4"])
    (email,) = exports.emails(job["job_id"])
    assert "10,003" in email.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_filter_period_and_source(exports: Exports) -> None:
    exports.db["contacts"].update_one({"_id": ObjectId(contact_id(2))}, {"$set": {"source": "email"}})
    job = exports.export(
        contact_ids=..., selection_mode="filter", selected_fields=["name"], order_direction="asc",
        filter={"field": "value", "op": "gte", "value": 2_000_000},
        period={"start_date": "2024-05-01T00:02:00Z", "end_date": "2024-05-01T00:03:00Z"},
        source=["email", "carrier pigeon"],
    )  # fmt: skip
    assert rows(exports.content(job)) == [["Full name"], ["Customer 2"]]
    assert any("source" in warning for warning in job["warnings"])


def test_hidden_and_unknown_fields_never_leave(exports: Exports) -> None:
    job = exports.export(selected_fields=["salary", "name", "made_up", "name"])
    assert rows(exports.content(job))[0] == ["Full name"]
    assert len(job["warnings"]) == 2
    failed = exports.export(selected_fields=["salary"])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "NO_USABLE_FIELD")
    refused = exports.export(
        contact_ids=..., selection_mode="filter", filter={"field": "salary", "op": "gt", "value": 1}
    )
    assert (refused["status"], refused["error"]["code"]) == ("rejected", "EXPORT_REQUEST_INVALID")


def test_another_companys_layout_is_not_found(exports: Exports) -> None:
    exports.db["layouts"].insert_one({"_id": "foreign", "company_sso_id": "another-company", "is_default": True})
    job = exports.export(layout_id="foreign")
    assert (job["status"], job["error"]["code"]) == ("failed", "LAYOUT_NOT_FOUND")


@pytest.mark.any_mongo
def test_an_unknown_zone_falls_back_with_a_warning(exports: Exports) -> None:
    job = exports.export(timezone="Mars/Olympus")
    assert job["status"] == "completed"
    assert len(job["warnings"]) == 1
    assert rows(exports.content(job))[1][1].endswith("+07:00")


@pytest.mark.any_mongo
def test_a_large_file_is_linked_not_attached(make_exports: Callable[..., Exports]) -> None:
    exports = make_exports(attachment_limit_bytes=10)
    job = exports.export()
    (email,) = exports.emails(job["job_id"])
    assert list(email.iter_attachments()) == []
    assert job["result"]["url"] in email.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_what_is_left_behind(exports: Exports, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="cdp_pipelines"):
        job = exports.export()
    (history,) = exports.services().records.history(exports.company, now=datetime.now(UTC))
    assert (history["export_type"], history["status"], history["link"]) == (
        "Customer Data", "completed", job["result"]["url"],
    )  # fmt: skip
    (audit,) = exports.db["export_audit"].find({"job_id": job["job_id"]})
    assert (audit["user_sso_id"], audit["row_count"], audit["fields"]) == ("user-1", 2, ["name", "created_at", "value"])
    states = {d["channel"]: d["state"] for d in exports.db["deliveries"].find({"job_id": job["job_id"]})}
    assert states == {"email": "sent", "notification": "sent", "history": "switched_off"}
    assert exports.leftovers() == []
    text = caplog.text
    for event in ("triggered", "completed"):
        assert f'"event": "cdp_export_customer_{event}"' in text
    assert '"variant": "succeeded"' in text
    assert '"result": "not_configured"' in text
    for secret in (f"{job['job_id']}@example.com", "Customer 1", "X-Amz-Signature"):
        assert secret not in text


def with_channels(exports: Exports, **channels: Any) -> None:
    """The same pipeline, with other channels to tell people on."""
    usual = {name: getattr(exports.resource, name) for name in type(exports.resource).model_fields}
    exports.resource = ContactExportResource(**{**usual, **channels})


@pytest.mark.any_mongo
@pytest.mark.parametrize(
    ("channels", "states", "named"),
    [
        ({"notifications": NotificationsResource(root_url="")}, ("switched_off", ""), ""),
        (
            {"notifications": NotificationsResource(root_url="http://127.0.0.1:9", client_id="c", secret="s3cret")},
            ("failed", "NOTIFICATION_UNAVAILABLE"), "",
        ),
        (
            {"notifications": NotificationsResource(root_url="http://127.0.0.1:9")},
            ("failed", "SETTING_MISSING"), "NOTIFICATION_API_CLIENT_ID is not set",
        ),
        (
            {"notifications": NotificationsResource(root_url="http://127.0.0.1:9", client_id="c")},
            ("failed", "SETTING_MISSING"), "NOTIFICATION_API_SECRET is not set",
        ),
        (
            {"notifications": NotificationsResource(root_url="api.example.com", client_id="c", secret="s3cret")},
            ("failed", "SETTING_INVALID"), "NOTIFICATION_API_ROOT_URL must be an address",
        ),
        (
            {"export_history": ExportHistoryResource(root_url="http://127.0.0.1:9")},
            ("failed", "SETTING_MISSING"), "EXPORT_HISTORY_API_CLIENT_ID is not set",
        ),
        (
            {"export_history": ExportHistoryResource(root_url="http://127.0.0.1:9", client_id="c", secret="s3cret")},
            ("failed", "EXPORT_HISTORY_UNAVAILABLE"), "",
        ),
    ],
)  # fmt: skip
def test_what_became_of_telling_people_is_recorded_as_it_is(
    exports: Exports, channels: dict[str, Any], states: tuple[str, str], named: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    for name in ("ROOT_URL", "CLIENT_ID", "SECRET"):
        monkeypatch.delenv(f"NOTIFICATION_API_{name}", raising=False)
        monkeypatch.delenv(f"EXPORT_HISTORY_API_{name}", raising=False)
    with_channels(exports, **channels)
    with caplog.at_level(logging.INFO, logger="cdp_pipelines"):
        job = exports.export()
    assert job["status"] == "completed"
    channel: Channel = "notification" if "notifications" in channels else "history"
    delivered = {d["channel"]: d for d in exports.db["deliveries"].find({"job_id": job["job_id"]})}
    assert (delivered[channel]["state"], delivered[channel].get("error_code", "")) == states
    assert delivered["email"]["state"] == "sent"
    assert named in caplog.text
    assert "s3cret" not in caplog.text
    causes = [each["_id"] for each in exports.db["alert_causes"].find({})]
    assert any(named in str(cause) for cause in causes) or not named
    # Once, whatever became of it: a restart tells nobody a second time.
    assert (
        exports.services().deliveries.begin(job["job_id"], exports.company, channel, "x", now=datetime.now(UTC))
        is False
    )


def test_a_terminal_request_is_left_alone(exports: Exports) -> None:
    job_id = exports.queue()
    (request,) = exports.tick()
    assert exports.run(request).success
    before = exports.job(job_id)
    again = exports.run(request)
    assert again.success
    assert again.get_asset_materialization_events() == []
    assert exports.job(job_id) == before
    assert len(exports.emails(job_id)) == 1


@pytest.mark.any_mongo
def test_a_run_without_a_request_says_what_to_do(exports: Exports) -> None:
    exports.instance.add_dynamic_partitions("company", [exports.company])
    result = exports.run(dg_request(exports, ""))
    assert not result.success
    assert "set request_id" in str(result.get_step_failure_events())


def test_another_companys_partition_cannot_run_a_request(exports: Exports) -> None:
    job_id = exports.queue()
    exports.instance.add_dynamic_partitions("company", ["another-company"])
    request = dg_request(exports, job_id)._replace(partition_key="another-company")
    assert not exports.run(request).success
    assert exports.job(job_id)["status"] == "queued"


def test_a_request_launched_by_hand_is_judged_all_the_same(exports: Exports) -> None:
    job_id = exports.queue(permissions=[])
    exports.instance.add_dynamic_partitions("company", [exports.company])
    assert exports.run(dg_request(exports, job_id)).success
    assert (exports.job(job_id)["status"], exports.job(job_id)["error"]["code"]) == ("rejected", "FORBIDDEN")
    assert exports.emails(job_id) == []


@pytest.mark.any_mongo
def test_the_materialization_shows_figures_and_no_person(exports: Exports) -> None:
    exports.queue()
    (request,) = exports.tick()
    (event,) = exports.run(request).get_asset_materialization_events()
    metadata: dict[str, Any] = {key: value.value for key, value in event.materialization.metadata.items()}
    assert metadata["dagster/row_count"] == 2
    assert metadata["status"] == "completed"
    assert event.partition == exports.company
    assert "@" not in str(metadata)
    assert "http" not in str(metadata)


def dg_request(exports: Exports, job_id: str) -> Any:
    import dagster as dg

    from cdp_pipelines.pipelines.contact_export.config import run_config

    return dg.RunRequest(partition_key=exports.company, run_config=run_config(job_id), tags={})
