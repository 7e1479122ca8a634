"""The two emails about an entity export, in both languages, word for word where it matters."""

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.message_texts import ENGLISH, ENGLISH_NOUNS, INDONESIAN, INDONESIAN_NOUNS
from cdp_pipelines.domain.entity_export.messages import FilePart, MessageFacts, compose, message_id

LINK = "https://s3.example.com/b/c1/exports/2026/11/vouchers-1.csv?X-Amz-Expires=3600&X-Amz-Signature=abc"
PARTS = tuple(
    FilePart(name=f"vouchers-1.part-{n}.csv", row_count=500, size_bytes=1_500_000, link=f"{LINK}&part={n}")
    for n in (1, 2)
)


def facts(**changes: Any) -> MessageFacts:
    base = MessageFacts(
        request_id="exp_1a2b",
        exported_object="voucher",
        locale="en",
        zone=ZoneInfo("Asia/Jakarta"),
        zone_name="Asia/Jakarta",
        file_name="vouchers-1.csv.gz",
        link=LINK,
        expires_at=datetime(2026, 11, 25, 7, 5, tzinfo=UTC),
        row_count=1_234,
        size_bytes=56_789,
        file_format="CSV",
        compression="gzip",
    )
    return dataclasses.replace(base, **changes)


def test_succeeded_in_english() -> None:
    message = compose("succeeded", facts())
    assert message.subject == "Your voucher export is ready (1,234 vouchers)"
    assert message.text == (
        "Your voucher export is ready\n\n"
        "The file vouchers-1.csv.gz holds 1,234 vouchers.\n\n"
        "Please download it with the link below.\n\n"
        f"Download the file:\n{LINK}\n\n"
        "The link works until 25 November 2026, 14:05 (Asia/Jakarta, UTC+07:00). Whoever has it can download the data, "
        "so please do not pass this email on.\n\n"
        "File: vouchers-1.csv.gz\n"
        "Rows: 1,234\n"
        "Size: 56.8 kB\n"
        "Format: CSV, gzip\n"
        "Link works until: 25 November 2026, 14:05 (Asia/Jakarta, UTC+07:00)\n"
        "Reference: exp_1a2b\n\n"
        "-- \nYou get this email because the voucher export was asked for with your address. "
        "If that was not you, please tell your administrator.\n"
    )


def test_a_split_export_names_the_manifest_and_links_every_part() -> None:
    message = compose("succeeded", facts(file_name="vouchers-1.manifest.json", parts=PARTS, row_count=1_000))
    assert "It was split into 2 files; the manifest vouchers-1.manifest.json lists them" in message.text
    assert f"Download the manifest:\n{LINK}\n\nvouchers-1.part-1.csv (1.5 MB):\n{LINK}&part=1\n\n" in message.text
    assert "Manifest: vouchers-1.manifest.json\nFiles: vouchers-1.part-1.csv, vouchers-1.part-2.csv\n" in message.text
    assert message.html.count("<a ") == 3
    assert f'href="{LINK.replace("&", "&amp;")}&amp;part=2"' in message.html


def test_many_parts_are_left_to_the_manifest() -> None:
    message = compose("succeeded", facts(parts=PARTS[:1] * 25))
    assert message.html.count("<a ") == 21
    assert "vouchers-1.part-1.csv and 5 more\n" in message.text


def test_failed_in_english() -> None:
    message = compose("failed", facts(failure_reason="The fields a, b do not exist."))
    assert message.subject == "Your voucher export failed"
    assert message.text == (
        "Your voucher export failed\n\n"
        "The voucher export you asked for could not be finished, and no file was made.\n\n"
        "What went wrong: The fields a, b do not exist.\n\n"
        "Please try again. If it fails again, contact support and give them the reference below.\n\n"
        "Reference: exp_1a2b\n\n"
        "-- \nYou get this email because the voucher export was asked for with your address. "
        "If that was not you, please tell your administrator.\n"
    )
    assert LINK not in message.html


def test_indonesian() -> None:
    message = compose("succeeded", facts(locale="id-ID", exported_object="voucher_transactions"))
    assert message.subject == "Ekspor transaksi voucher Anda sudah siap (1.234 transaksi voucher)"
    assert "File vouchers-1.csv.gz berisi 1.234 transaksi voucher." in message.text
    assert "Ukuran: 56,8 kB\n" in message.text
    assert '<html lang="id">' in message.html
    assert compose("failed", facts(locale="in_ID")).subject == "Ekspor voucher Anda gagal"


def test_both_languages_fill_the_same_blanks_and_know_the_same_objects() -> None:
    for item in dataclasses.fields(ENGLISH):
        english, indonesian = getattr(ENGLISH, item.name), getattr(INDONESIAN, item.name)
        if isinstance(english, str):
            assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", indonesian)), item.name
    assert ENGLISH_NOUNS.keys() == INDONESIAN_NOUNS.keys() == {*ENTITIES, ""}


@pytest.mark.parametrize(
    ("exported_object", "count", "subject"),
    [
        ("sku", 1, "Your SKU export is ready (1 SKU)"),
        ("points_expiration", 2, "Your points expiration export is ready (2 points expirations)"),
        ("no_such_object", 2, "Your data export is ready (2 rows)"),
    ],
)
def test_nouns(exported_object: str, count: int, subject: str) -> None:
    assert compose("succeeded", facts(exported_object=exported_object, row_count=count)).subject == subject


def test_an_empty_result_says_so() -> None:
    text = compose("succeeded", facts(row_count=0)).text
    assert "No voucher matched what you asked for, so the file vouchers-1.csv.gz has no rows." in text


@pytest.mark.parametrize("variant", ["succeeded", "failed"])
def test_a_scheduled_export_names_its_schedule(variant: Any) -> None:
    text = compose(variant, facts(schedule_name="Every Monday")).text
    assert "Schedule: Every Monday\nReference: exp_1a2b" in text
    assert "because a scheduled voucher export has your address" in text


HOSTILE = "<script>alert(1)</script>\"'&\r\nBcc: x@example.com\u202e{x}"


@pytest.mark.parametrize("variant", ["succeeded", "failed"])
def test_hostile_texts_are_escaped_and_stay_on_their_line(variant: Any) -> None:
    part = FilePart(name=HOSTILE, row_count=1, size_bytes=1, link=LINK)
    message = compose(
        variant,
        facts(
            **dict.fromkeys(
                ("file_name", "failure_reason", "request_id", "zone_name", "schedule_name", "file_format"), HOSTILE
            ),
            warnings=(HOSTILE,),
            parts=(part,),
        ),
    )
    assert "<script" not in message.html
    assert "\nBcc" not in message.text
    assert "\u202e" not in message.text + message.html
    assert "\n" not in message.subject


@pytest.mark.parametrize("link", ["javascript:alert(1)", 'https://x/" onclick="y', "https://x y", "", None])
def test_only_web_links_become_links(link: str | None) -> None:
    assert "<a " not in compose("succeeded", facts(link=link, parts=PARTS)).html
    message = compose("succeeded", facts(parts=(dataclasses.replace(PARTS[0], link=link),)))
    assert message.html.count("<a ") == 1


def test_message_ids_and_reprs() -> None:
    assert message_id("exp_1a2b", "succeeded", "example.com") == "<export.exp_1a2b.succeeded@example.com>"
    assert "Signature" not in repr(facts(parts=PARTS)) + repr(compose("succeeded", facts()))


def test_a_file_that_serves_again_says_since_when_it_is() -> None:
    made_at = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
    english = compose("succeeded", facts(made_at=made_at)).text
    assert "Nothing has changed since 25 November 2026, 10:00 (Asia/Jakarta, UTC+07:00), so this is the file" in english
    assert "Tidak ada yang berubah sejak" in compose("succeeded", facts(made_at=made_at, locale="id")).text
    assert "Nothing has changed" not in compose("succeeded", facts()).text
