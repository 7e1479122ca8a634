import io
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.export_document import AskedExport, queued_document, read_filter, read_ids

NOW = datetime(2024, 5, 1, 10, tzinfo=UTC)


def asked(**changes: object) -> AskedExport:
    base = {"company": "c", "user": "u", "email": "a@b.example", "file_format": "xlsx"}
    return AskedExport(**{**base, **changes})  # type: ignore[arg-type]


def test_what_was_not_asked_is_not_in_the_document() -> None:
    document = queued_document(asked(), now=NOW)
    assert document["status"] == "queued"
    assert document["job_type"] == "export"
    assert document["created_at"] == document["updated_at"] == NOW
    assert str(uuid.UUID(document["job_id"])) == document["job_id"]
    for name in ("selection_mode", "contact_ids", "filter", "period", "source", "layout_id", "timezone", "order_by"):
        assert name not in document


def test_everything_asked_is_in_the_document_under_its_name() -> None:
    document = queued_document(
        asked(
            mode="filter", contact_ids=["1"], order_by="name", order_direction="asc", filter={"field": "name"},
            start_date="2024-01-01", sources=["whatsapp"], layout="l", fields=["name", "email"], timezone="Asia/Tokyo",
            locale="id", permissions=["p"],
        ),
        now=NOW,
    )  # fmt: skip
    expected = {
        "selection_mode": "filter", "contact_ids": ["1"], "order_by": "name", "order_direction": "asc",
        "filter": {"field": "name"}, "period": {"start_date": "2024-01-01"}, "source": ["whatsapp"], "layout_id": "l",
        "selected_fields": ["name", "email"], "timezone": "Asia/Tokyo", "locale": "id", "permissions": ["p"],
        "format": "xlsx", "company_sso_id": "c", "user_sso_id": "u", "email": "a@b.example",
    }  # fmt: skip
    assert expected.items() <= document.items()


def test_a_wrong_filter_is_left_for_the_admission_to_name() -> None:
    assert queued_document(asked(filter=[1]), now=NOW)["filter"] == [1]
    assert queued_document(asked(filter=0), now=NOW)["filter"] == 0


def test_a_filter_comes_as_json_or_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "filter.json"
    path.write_text('\ufeff{"field": "name"}', encoding="utf-8")
    assert read_filter("") is None
    assert read_filter('{"field": "name"}') == read_filter(f"@{path}") == {"field": "name"}


def test_a_filter_that_is_not_json_is_refused_with_its_place() -> None:
    with pytest.raises(Refused, match=r"line 1, column 2") as caught:
        read_filter("{")
    assert caught.value.code == "FILTER_NOT_JSON"


@pytest.mark.parametrize(
    "content",
    ["a1\nb2\n", "# mine\n\n  a1 \nb2", '"a1",\n"b2"', '["a1", "b2"]', ' \n["a1",\n"b2"]', "\ufeffa1\r\nb2\r\n"],
)
def test_ids_come_one_a_line_or_as_json(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ids"
    path.write_text(content, encoding="utf-8", newline="")
    assert read_ids(str(path)) == ["a1", "b2"]


def test_ids_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a1\nb2\n"))
    assert read_ids("-") == ["a1", "b2"]


@pytest.mark.parametrize(("content", "code"), [("[1, 2", "IDS_NOT_A_LIST"), (b"\xff\xfe\x00", "FILE_UNREADABLE")])
def test_a_file_that_holds_no_ids_is_refused(tmp_path: Path, content: str | bytes, code: str) -> None:
    path = tmp_path / "ids"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Refused) as caught:
        read_ids(str(path))
    assert caught.value.code == code
