import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from cdp_pipelines.cli import output


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://127.0.0.1:27017/", "mongodb://127.0.0.1:27017/"),
        ("mongodb://user:s3cret@h1:1,h2:2/db?authSource=admin", "mongodb://***@h1:1,h2:2/db"),
        ("mongodb+srv://user:p%40ss@cluster.example/", "mongodb+srv://***@cluster.example/"),
        ("postgresql://u:p@db.example:5432/dagster?sslpassword=x", "postgresql://***@db.example:5432/dagster"),
        ("postgresql+psycopg2://u:p@db.example/d", "postgresql+psycopg2://***@db.example/d"),
        ("https://token@hooks.example/x", "https://***@hooks.example/x"),
    ],
)
def test_addresses_are_shown_without_secrets(uri: str, shown: str) -> None:
    assert output.mask_uri(uri) == shown


def test_secrets_inside_a_text_are_masked() -> None:
    text = "could not reach mongodb://u:p@a/ nor postgresql://v:q@b/"
    assert output.mask_credentials(text) == "could not reach mongodb://***@a/ nor postgresql://***@b/"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (2_345_678, "2.3 MB"), (5_000_000_000, "5.0 GB"),
     (None, ""), (True, ""), ("7", "")],
)  # fmt: skip
def test_sizes(size: object, text: str) -> None:
    assert output.size_text(size) == text


def test_instants_are_shown_in_utc() -> None:
    jakarta = timezone(timedelta(hours=7))
    assert output.instant_text(datetime(2024, 5, 1, 17, tzinfo=jakarta)) == "2024-05-01 10:00:00Z"
    assert output.instant_text(datetime(2024, 5, 1, 10)) == "2024-05-01 10:00:00Z"  # noqa: DTZ001 - as BSON may give it
    assert output.instant_text(None) == ""


def test_json_holds_instants_and_any_script(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"at": datetime(2024, 5, 1, 10, tzinfo=UTC), "name": "サクラ"})
    written = capsys.readouterr().out
    assert "サクラ" in written
    assert json.loads(written)["at"] == "2024-05-01T10:00:00+00:00"
