import unicodedata
from typing import Any

import pytest

from cdp_pipelines.domain.formula_guard import SUSPECT_FIRST, TRIGGERS, guard_text
from cdp_pipelines_tests.unit.corpora import load_corpus

CORPUS = load_corpus("formula.json")
# Attacks that need no trigger: they try to leave their cell, which is the business of quoting (see the writers' tests).
BREAK_OUTS = ("name,=1+1", "name;=1+1", 'a"\n=1+1', "a\r\n=1+1", "x\t=1+1", "{=SUM(1+1)}")


@pytest.mark.parametrize("sign", sorted(TRIGGERS))
@pytest.mark.parametrize("lead", ["", " ", "   ", "\u00a0", "\u3000", "\u200b", "\ufeff", '"', ' "', '" ', "\x0b"])
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_a_trigger_gets_an_apostrophe_wherever_a_reader_would_see_it_first(
    sign: str, lead: str, file_format: str
) -> None:
    text = f"{lead}{sign}SUM(1;2)"

    assert guard_text(text, file_format) == "'" + text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a=b",
        "5-3",
        "x+y",
        "'=1",
        "ann@example.com",
        " indented",
        '"quoted"',
        "%0A=1+1",
        "|calc",
        "   ",
        "中文",
        "é",
    ],
)
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_harmless_text_is_left_alone(text: str, file_format: str) -> None:
    assert guard_text(text, file_format) == text


@pytest.mark.parametrize("text", ["-5.00", "-0.02", "+3", "-1e5", "0", "1.5", "-12345678901", "+1.5E-3", "-.5"])
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_a_plain_number_is_never_touched(text: str, file_format: str) -> None:
    assert guard_text(text, file_format) == text


@pytest.mark.parametrize(
    "text",
    ["+628123456789", "+62 812-3456-7890", "+1 (555) 123-4567", "+48 600 700 800", "-1,234.56", "+1,234", "-1.234,56"],
)
def test_phones_and_grouped_numbers_are_guarded_in_csv_and_left_in_a_sheet(text: str) -> None:
    assert guard_text(text, "csv") == "'" + text
    assert guard_text(text, "xlsx") == text


@pytest.mark.parametrize(
    "text",
    [
        "+",
        "-",
        "=",
        "@",
        "-1+1",
        "+1+1",
        "-5\n",
        "+62 812 3456 ext",
        "+1-1",
        "-- comment",
        "+62=812",
        "-2+3+cmd|'/c'!A1",
    ],
)
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_what_only_looks_like_a_number_is_guarded(text: str, file_format: str) -> None:
    assert guard_text(text, file_format) == "'" + text


def test_every_invisible_character_is_looked_through() -> None:
    invisible = {"Cc", "Cf", "Zs", "Zl", "Zp"}
    missed = [
        hex(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in invisible and chr(code) not in SUSPECT_FIRST
    ]

    assert missed == []


@pytest.mark.parametrize("file_format", ["CSV", "", "json"])
def test_an_unknown_format_is_an_error(file_format: str) -> None:
    with pytest.raises(ValueError, match="file_format"):
        guard_text("a", file_format)


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row.get("id"))
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_corpus(row: dict[str, Any], file_format: str) -> None:
    text, kind = row["value"], row["kind"]
    guarded = guard_text(text, file_format)

    assert guarded in (text, "'" + text)
    if (kind == "attack" and text not in BREAK_OUTS) or kind == "edge":
        assert guarded == "'" + text
    if kind.startswith(("benign", "info", "xlsx")) or text in BREAK_OUTS:
        assert guarded == text
    if kind == "ambiguous":
        assert guarded == ("'" + text if file_format == "csv" else text)
