from datetime import UTC, datetime

from cdp_pipelines.cli.entity_document import AskedEntityExport, AskedParameters, scheduled_document
from cdp_pipelines.domain.entity_export.request import PARAMETERS, read_request

NOW = datetime(2024, 5, 1, 10, tzinfo=UTC)


def test_what_was_not_asked_is_not_in_the_document() -> None:
    document = scheduled_document(AskedEntityExport(company="c", template="t"), now=NOW)
    assert document["parameters"] == {}
    assert document["status"] == "SCHEDULED"
    assert document["created_at"] == document["updated_at"] == NOW
    assert (document["progress"], document["total"], document["result"], document["error"]) == (0, None, None, None)
    assert not {"exported_object", "user_sso_id", "email", "locale", "webhook"} & document.keys()
    assert document["id"] != scheduled_document(AskedEntityExport(company="c"), now=NOW)["id"]


def test_everything_asked_is_in_the_document_and_can_be_read() -> None:
    parameters = AskedParameters(
        file_format="ndjson", compression="gzip", fields=["code", "id"], order="-created_at",
        filters={"category": "x"}, campaign_ids=["camp_1"], timezone="Asia/Tokyo", fresh=True,
    )  # fmt: skip
    asked = AskedEntityExport(
        company="c", exported_object="voucher", parameters=parameters, user="u", email="a@b.example", locale="id",
        webhook="https://hooks.example.com/x",
    )  # fmt: skip
    document = scheduled_document(asked, now=NOW)
    assert document["parameters"].keys() <= set(PARAMETERS)
    request = read_request(document, webhook_problem=lambda url: None)
    assert request.export_id == document["id"]
    assert (request.file_format, request.gzip, request.fresh, request.zone.key) == ("NDJSON", True, True, "Asia/Tokyo")
    assert (request.user_sso_id, request.email, request.locale) == ("u", "a@b.example", "id")
    assert request.webhook_url == "https://hooks.example.com/x"
    assert "hooks" not in repr(asked)


def test_an_empty_filter_is_one() -> None:
    assert AskedParameters(filters={}).document() == {"filters": {}}
    assert AskedParameters(filters=False).document() == {"filters": False}
