import pytest

from cdp_pipelines.domain.contact_export.fields import choose_columns
from cdp_pipelines.domain.people_words import Words, all_in_language, in_language
from cdp_pipelines.domain.timezones import resolve_timezone

BOTH = Words("The file is ready.", "File sudah siap.")


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "The file is ready."),
        ("en-GB", "The file is ready."),
        ("id", "File sudah siap."),
        ("id-ID", "File sudah siap."),
        ("in_ID", "File sudah siap."),
        ("fr", "The file is ready."),
        ("", "The file is ready."),
        (None, "The file is ready."),
        (["id"], "The file is ready."),
    ],
)
def test_a_text_is_told_in_the_language_of_the_request(locale: object, expected: str) -> None:
    told = in_language(BOTH, locale)

    assert told == expected
    assert type(told) is str


def test_a_text_in_one_language_stays_as_it_is() -> None:
    assert all_in_language(["Only English.", BOTH], "id") == ["Only English.", "File sudah siap."]


@pytest.mark.parametrize("zone", [None, "", 5, "Mars/Olympus", "x" * 500])
def test_warnings_about_the_zone_are_told_in_indonesian(zone: object) -> None:
    warning = resolve_timezone(zone).warning
    assert warning is not None
    told = in_language(warning, "id")
    assert told != warning
    assert "waktu" in told
    assert "Asia/Jakarta" in told


def test_warnings_about_fields_are_told_in_indonesian() -> None:
    (warning,) = choose_columns([], ["colour"]).warnings

    assert warning == '"colour" is not a field of this layout; it was left out.'
    assert in_language(warning, "id-ID") == '"colour" bukan kolom dari tata letak ini, sehingga tidak disertakan.'
