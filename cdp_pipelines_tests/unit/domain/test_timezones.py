from datetime import datetime

import pytest

from cdp_pipelines.domain.timezones import DEFAULT_TIMEZONE, resolve_timezone


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Asia/Jakarta", "Asia/Jakarta"),
        ("(GMT+07:00) Asia/Jakarta", "Asia/Jakarta"),
        ("(UTC-05:00) America/New_York", "America/New_York"),
        ("America/New_York (GMT-05:00)", "America/New_York"),
        ("GMT+09:00 Asia/Tokyo", "Asia/Tokyo"),
        ("  Europe/Berlin\n", "Europe/Berlin"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Etc/GMT+7", "Etc/GMT+7"),
        ("UTC", "UTC"),
    ],
)
def test_an_iana_id_or_a_label_that_holds_one_is_taken(text: str, name: str) -> None:
    choice = resolve_timezone(text)

    assert (choice.name, choice.zone.key, choice.warning) == (name, name, None)


@pytest.mark.parametrize(
    "text",
    [
        None, "", "   ", "(GMT+07:00)", "Asia", "Nowhere/Land", "Asia/Jakarta/", "/etc/passwd", "../../etc/passwd",
        "posix/Asia/Jakarta", "right/UTC", "posixrules", "localtime", "Factory", "\0", "Asia/\0", "x" * 5_000,
        "A/" + "b" * 300, "GMT+07:00", 7, 7.5, True, b"Asia/Jakarta", ["Asia/Jakarta"], {"zone": "UTC"},
        datetime(2024, 1, 1),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_anything_else_is_the_default_with_a_warning(text: object) -> None:
    choice = resolve_timezone(text)

    assert (choice.name, choice.zone.key) == (DEFAULT_TIMEZONE, "Asia/Jakarta")
    assert choice.warning is not None
    assert "Asia/Jakarta" in choice.warning
    assert len(choice.warning) < 300
    assert choice.warning.isprintable()
