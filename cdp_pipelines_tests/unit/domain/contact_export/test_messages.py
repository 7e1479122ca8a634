"""The three emails and the notification, in both languages, word for word where it matters."""

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cdp_pipelines.domain.contact_export.delivery import EmailVariant
from cdp_pipelines.domain.contact_export.message_texts import ENGLISH, INDONESIAN
from cdp_pipelines.domain.contact_export.messages import MessageFacts, compose, message_id, notification_text

LINK = "https://s3.example.com/b/private/exports/c1/export.xlsx?X-Amz-Expires=172800&X-Amz-Signature=abc"
VARIANTS: tuple[EmailVariant, ...] = ("succeeded", "partially_succeeded", "failed")


def facts(**changes: Any) -> MessageFacts:
    base = MessageFacts(
        request_id="6f1c",
        locale="en",
        zone=ZoneInfo("Asia/Jakarta"),
        zone_name="Asia/Jakarta",
        file_name="export.xlsx",
        link=LINK,
        expires_at=datetime(2026, 11, 25, 7, 5, tzinfo=UTC),
        row_count=1_234,
        attached=True,
    )
    return dataclasses.replace(base, **changes)


def test_succeeded_in_english() -> None:
    message = compose("succeeded", facts())
    assert message.subject == "Your customer export is ready (1,234 customers)"
    assert message.text == (
        "Your customer export is ready\n\n"
        "The file export.xlsx holds 1,234 customers.\n\n"
        "The file is attached to this email. You can also download it with the link below.\n\n"
        f"Download the file:\n{LINK}\n\n"
        "The link works until 25 November 2026, 14:05 (Asia/Jakarta, UTC+07:00). Whoever has it can download the file, "
        "so please do not pass this email on.\n\n"
        "File: export.xlsx\n"
        "Customers in the file: 1,234\n"
        "Link works until: 25 November 2026, 14:05 (Asia/Jakarta, UTC+07:00)\n"
        "Reference: 6f1c\n\n"
        "-- \nYou get this email because a customer export was asked for with your address. "
        "If that was not you, please tell your administrator.\n"
    )


def test_partially_succeeded_in_english() -> None:
    message = compose("partially_succeeded", facts(row_count=997, failed_count=3))
    assert message.subject == "Your customer export is ready, with 3 customers missing"
    assert "The file export.xlsx holds 997 of the 1,000 customers you asked for." in message.text
    assert "Customers in the file: 997\nCustomers not exported: 3\n" in message.text
    assert "attached to this email" in message.text


def test_failed_in_english() -> None:
    message = compose("failed", facts(failure_reason="None of the contacts exists."))
    assert message.subject == "Your customer export failed"
    assert message.text == (
        "Your customer export failed\n\n"
        "The customer export you asked for could not be finished, and no file was made.\n\n"
        "What went wrong: None of the contacts exists.\n\n"
        "Please try again. If it fails again, contact support and give them the reference below.\n\n"
        "Reference: 6f1c\n\n"
        "-- \nYou get this email because a customer export was asked for with your address. "
        "If that was not you, please tell your administrator.\n"
    )
    assert LINK not in message.html


@pytest.mark.parametrize(
    ("variant", "subject", "sentence"),
    [
        ("succeeded", "Ekspor pelanggan Anda sudah siap (1.234 pelanggan)", "File export.xlsx berisi 1.234 pelanggan."),
        (
            "partially_succeeded",
            "Ekspor pelanggan Anda sudah siap, tetapi 3 pelanggan tidak disertakan",
            "File export.xlsx berisi 1.234 dari 1.237 pelanggan yang Anda minta.",
        ),
        ("failed", "Ekspor pelanggan Anda gagal", "tidak ada file yang dibuat."),
    ],
)
def test_indonesian(variant: EmailVariant, subject: str, sentence: str) -> None:
    message = compose(variant, facts(locale="id-ID", failed_count=3 if variant == "partially_succeeded" else 0))
    assert message.subject == subject
    assert sentence in message.text
    assert '<html lang="id">' in message.html
    if variant != "failed":
        assert "25 November 2026, 14:05 (Asia/Jakarta, UTC+07:00)" in message.text


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("id", "id"),
        ("id_ID", "id"),
        ("ID-id", "id"),
        ("in_ID", "id"),
        ("en-GB", "en"),
        ("", "en"),
        ("idx", "en"),
        ("fr", "en"),
    ],
)
def test_locale(locale: str, language: str) -> None:
    assert f'<html lang="{language}">' in compose("succeeded", facts(locale=locale)).html


def test_both_languages_fill_the_same_blanks() -> None:
    for item in dataclasses.fields(ENGLISH):
        english, indonesian = getattr(ENGLISH, item.name), getattr(INDONESIAN, item.name)
        assert re.findall(r"{\w+}", str(english)) == re.findall(r"{\w+}", str(indonesian)), item.name


def test_one_customer_has_its_own_noun() -> None:
    assert compose("succeeded", facts(row_count=1)).subject == "Your customer export is ready (1 customer)"
    assert "with 1 customer missing" in compose("partially_succeeded", facts(failed_count=1)).subject


def test_empty_result_says_that_only_headings_are_in_the_file() -> None:
    message = compose("succeeded", facts(row_count=0))
    assert message.subject == "Your customer export is ready (0 customers)"
    assert "No customer matched your selection, so the file export.xlsx holds only the column headings." in message.text


def test_truncated_says_how_many_matched() -> None:
    text = compose("succeeded", facts(row_count=10_000, truncated=True, matched_count=23_456)).text
    assert "Only the first 10,000 of 23,456 matching customers are in the file." in text
    assert "only the first 10,000 are in it" in compose("succeeded", facts(row_count=10_000, truncated=True)).text
    assert "Only the first" not in compose("succeeded", facts(matched_count=1_234)).text


def test_large_file_is_linked_and_the_email_says_why() -> None:
    text = compose("succeeded", facts(attached=False)).text
    assert "too large to attach" in text
    assert "is attached" not in text
    assert LINK in text


def test_expiry_follows_the_zone_and_its_daylight_saving() -> None:
    new_york = facts(zone=ZoneInfo("America/New_York"), zone_name="America/New_York")
    assert "25 November 2026, 02:05 (America/New_York, UTC-05:00)" in compose("succeeded", new_york).text
    july = dataclasses.replace(new_york, expires_at=datetime(2026, 7, 1, 7, 5, tzinfo=UTC))
    assert "1 July 2026, 03:05 (America/New_York, UTC-04:00)" in compose("succeeded", july).text


def test_warnings_are_listed_and_bounded() -> None:
    text = compose("succeeded", facts(warnings=tuple(f"Field f{n} was dropped." for n in range(25)))).text
    assert "Please note:\n- Field f0 was dropped." in text
    assert "- Field f19 was dropped.\n- and 5 more" in text
    assert "Field f20" not in text


HOSTILE = "<script>alert(1)</script>\"'&\r\nBcc: x@example.com\u202e"


@pytest.mark.parametrize("variant", VARIANTS)
def test_hostile_texts_are_escaped_and_stay_on_their_line(variant: EmailVariant) -> None:
    hostile = facts(
        file_name=HOSTILE, failure_reason=HOSTILE, request_id=HOSTILE, zone_name=HOSTILE, warnings=(HOSTILE,)
    )
    message = compose(variant, hostile)
    assert "<script" not in message.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp; Bcc: x@example.com" in message.html
    assert "\nBcc" not in message.text
    assert "\u202e" not in message.text + message.html
    assert "\n" not in message.subject
    assert "\n" not in "".join(notification_text(variant, hostile))


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", 'https://x/" onclick="y', "data:text/html,x", "https://x y", "", None]
)
def test_only_web_links_become_links(link: str | None) -> None:
    message = compose("succeeded", facts(link=link))
    assert "<a " not in message.html
    assert "link below" not in message.text


def test_link_is_escaped_in_html_and_whole_in_text() -> None:
    message = compose("succeeded", facts())
    assert f'href="{LINK.replace("&", "&amp;")}"' in message.html
    assert LINK in message.text


def test_long_texts_are_cut() -> None:
    message = compose("failed", facts(failure_reason="x" * 10_000))
    assert "x" * 499 + "…" in message.text
    assert "x" * 500 not in message.text


def test_braces_in_facts_are_only_text() -> None:
    message = compose("failed", facts(failure_reason="{reason} {0} {x.y}"))
    assert "{reason} {0} {x.y}" in message.text
    assert "{reason} {0} {x.y}" in message.html


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        (
            "succeeded",
            (
                "Your customer export is ready",
                "export.xlsx holds 1,234 customers. Download it until "
                "25 November 2026, 14:05 (Asia/Jakarta, UTC+07:00).",
            ),
        ),
        (
            "partially_succeeded",
            (
                "Your customer export is ready, with 6 customers missing",
                "export.xlsx holds 1,234 of the 1,240 customers you asked for. Download it until "
                "25 November 2026, 14:05 (Asia/Jakarta, UTC+07:00).",
            ),
        ),
        ("failed", ("Your customer export failed", "No file was made. The email we sent you says why.")),
    ],
)
def test_notification(variant: EmailVariant, expected: tuple[str, str]) -> None:
    assert notification_text(variant, facts(failed_count=6 if variant == "partially_succeeded" else 0)) == expected


def test_notification_in_indonesian() -> None:
    assert notification_text("failed", facts(locale="id")) == (
        "Ekspor pelanggan Anda gagal",
        "Tidak ada file yang dibuat. Penyebabnya ada di email yang kami kirim.",
    )


def test_message_id_is_the_same_for_the_same_email() -> None:
    assert message_id("6f1c-22", "succeeded", "example.com") == "<export.6f1c-22.succeeded@example.com>"
    assert message_id("6f1c-22", "failed", "example.com") != message_id("6f1c-22", "succeeded", "example.com")


@pytest.mark.parametrize(
    ("job_id", "domain", "expected"),
    [
        ("a>\r\nBcc: x@y", "example.com", "<export.a_Bcc_x_y.failed@example.com>"),
        ("", "", "<export._.failed@cdp.invalid>"),
        ("a..b", "ex..am>ple.com\r\n", "<export.a_b.failed@ex.ample.com>"),
        ("x" * 300, "example.com", f"<export.{'x' * 100}.failed@example.com>"),
    ],
)
def test_message_id_cannot_be_injected_into(job_id: str, domain: str, expected: str) -> None:
    assert message_id(job_id, "failed", domain) == expected


def test_secret_link_is_not_in_the_repr() -> None:
    assert "Signature" not in repr(facts())
    assert "Signature" not in repr(compose("succeeded", facts()))
