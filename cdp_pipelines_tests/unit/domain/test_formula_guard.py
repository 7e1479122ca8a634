import re
import unicodedata
from typing import Any

import pytest

from cdp_pipelines.domain.formula_guard import SUSPECT_FIRST, TRIGGERS, guard_beside_numbers, guard_text
from cdp_pipelines_tests.unit.corpora import load_corpus

CORPUS = load_corpus("formula.json")
# Attacks that need no trigger: they try to leave their cell, which is the business of quoting (see the writers' tests).
HARMLESS = ("name,=1+1", "{=SUM(1+1)}")
# They leave it where the separator is another one; a sheet has no separators.
BREAK_OUTS = ("name;=1+1", 'a"\n=1+1', "a\r\n=1+1", "x\t=1+1")


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


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("x;=1+1;y", "x;'=1+1;y"),
        ("\n=1+1\n", "'\n'=1+1\n"),
        ("'\n=1+1\n", "'\n'=1+1\n"),
        ("x\t=1+1\ty", "x\t'=1+1\ty"),
        ('"\n=1+1\n"', "'\"\n'=1+1\n\""),
        ('";=1+1;"', '";\'=1+1;"'),
        ("-1\n=1+1\n", "'-1\n'=1+1\n"),
        ("\n=cmd|' /C calc'!A0\n", "'\n'=cmd|' /C calc'!A0\n"),
        ("a;b;=WEBSERVICE(A1);c", "a;b;'=WEBSERVICE(A1);c"),
        ("a\r=1", "a\r'=1"),
        ("a\r\n@SUM(1)", "a\r\n'@SUM(1)"),
        ("a\n\r-1+1", "a\n\r'-1+1"),
        ("a; \u00a0\u200b＝1", "a;' \u00a0\u200b＝1"),
        ('a;""=1', 'a;\'""=1'),
        ("a;\0=1", "a;'\0=1"),
        ("a\t\0", "a\t'\0"),
        ("a;\tb", "a;'\tb"),
        ("a\n \tb", "a\n' \tb"),
        ("a\t\t=1", "a\t\t'=1"),
        ("a;;;+1+1;;", "a;;;'+1+1;;"),
        ("＋1;－1", "'＋1;'－1"),
        ("a\n+6281234567\nb", "a\n'+6281234567\nb"),
        ('["x;=1"]', '["x;\'=1"]'),
    ],
)
def test_what_another_separator_would_make_a_cell_is_guarded_in_csv(text: str, guarded: str) -> None:
    assert guard_text(text, "csv") == guarded
    assert guard_text(guarded, "csv") == guarded


@pytest.mark.parametrize(
    "text",
    [
        "Belanja:\n- beras 5 kg\n- minyak goreng\n+ gula, kopi",
        "Todo\r\n  - call Budi at 10:00\r\n  - follow-up, R&D w/o Ani!\r\n",
        "a\n-\u00a0éclair 2.500,50\n- コーヒー 二つ\nend",
        "one; - two words; three",
        "a\t+ more of it\tb",
        "a;-5;+2.5\nb",
        "a\n-12.50\nb",
        "a\t-1e5\tb",
        "x;y; z;",
        "line1\nline2\n",
        "a\tb\t\tc",
        "a\n\n\nb",
        "https://example.com/?a=1;b=2",
        "font: x; size=5",
        '{"a":"b; c"}',
    ],
)
def test_bullets_numbers_and_other_honest_lines_inside_a_text_stay(text: str) -> None:
    assert guard_text(text, "csv") == text


@pytest.mark.parametrize(
    "line",
    [
        "- 1+1",
        "- cmd|' /C calc'!A0",
        "+ HYPERLINK(A1)",
        "- WEBSERVICE (A1)",
        "- call @SUM",
        "- [book]Sheet",
        "- aa=bb",
        "- 5",
        "- A1",
        "-word",
        "+word",
        "-- two words",
        "- aa\\bb",
        "- aa^bb",
        "- aa*bb",
        "- aa<bb",
        "= two words",
        "@ two words",
        "-5+1",
        "+62812345678",
    ],
)
@pytest.mark.parametrize("before", ["a;", "a\n", "a\r\n", "a\r"])
def test_what_only_looks_like_a_bullet_inside_a_text_is_guarded(line: str, before: str) -> None:
    assert guard_text(f"{before}{line};b", "csv") == f"{before}'{line};b"


@pytest.mark.parametrize("end", [" and,", " and:", " x&", " 5", ' "', " ("])
def test_a_last_line_that_the_next_column_could_go_on_from_is_guarded(end: str) -> None:
    text = f"a\n- words{end}"

    assert guard_text(text, "csv") == (text if end == " 5" else f"a\n'- words{end}")


def test_a_number_at_the_end_of_a_text_is_guarded_since_the_next_column_goes_on_behind_it() -> None:
    assert guard_text("a;-5", "csv") == "a;'-5"


def test_a_tab_ends_no_bullet_of_a_line() -> None:
    assert guard_text("a\n- two words\tcmd|'/C'!A0\nb", "csv") == "a\n'- two words\tcmd|'/C'!A0\nb"


@pytest.mark.parametrize("text", ["x;=1+1", "x\n=1", "x\t@SUM(1)", "a\n\tb"])
def test_a_sheet_has_no_separators(text: str) -> None:
    assert guard_text(text, "xlsx") == text


@pytest.mark.parametrize(
    "text",
    [
        "-5,0", "-5%", "+6281234567 ext 5", "-5,5 %", "+12,5", "-1 234,56", "-1\u00a0234", "-1'234.5", "+1.234.567,8%",
        "+62 812-3456-789 Ext. 12", "+1 555 123 4567 x89", "+1 (555) 123\u20114567;ext=5", "+62 (0)21 555 1234 #7",
    ],
)  # fmt: skip
def test_numbers_and_phones_as_people_write_them_are_left_in_a_sheet(text: str) -> None:
    assert guard_text(text, "xlsx") == text
    assert guard_text(text, "csv") == "'" + text


@pytest.mark.parametrize(
    "text", ["-5,,0", "-1.234.56", "-5%%", "-5%+1", "+6281234567 ext", "+6281234567 ext 5+1", "-1,23,456", "+5 ext 3"]
)
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_almost_such_numbers_and_phones_are_guarded(text: str, file_format: str) -> None:
    assert guard_text(text, file_format) == "'" + text


@pytest.mark.parametrize(
    ("second", "guarded"),
    [
        ("1+cmd|' /C calc'!A0", "'1+cmd|' /C calc'!A0"),
        ("5*HYPERLINK(A1)", "'5*HYPERLINK(A1)"),
        ("１+A1", "'１+A1"),
        ("12 Main Street", "'12 Main Street"),
        ("0812-345", "0812-345"),
        ("12.5%", "12.5%"),
        ("2024-05-01T10:00:00+07:00", "2024-05-01T10:00:00+07:00"),
        ("Ani", "Ani"),
        ("", ""),
    ],
)
def test_a_text_that_would_go_on_from_a_signed_number_is_guarded(second: str, guarded: str) -> None:
    assert guard_beside_numbers(["5", "-5", "+5", ""], [second] * 4) == [second, guarded, guarded, second]
    assert guard_beside_numbers(["5", "a-5"], [second] * 2) == [second] * 2


def begins_a_formula(text: str) -> bool:
    """Whether a cell that any separator begins starts with a trigger."""
    return any(part.lstrip(' "')[:1] in TRIGGERS for part in re.split("[;\t\r\n]", text) if part.strip(' "'))


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row.get("id"))
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_corpus(row: dict[str, Any], file_format: str) -> None:
    text, kind = row["value"], row["kind"]
    guarded = guard_text(text, file_format)

    if any(separator in text for separator in ";\t\r\n") and file_format == "csv":
        assert guarded.replace("'", "") == text.replace("'", "")
        assert not begins_a_formula(guarded)
        assert (guarded == text) == (kind in {"benign", "info"})
    else:
        assert guarded in (text, "'" + text)
    if (kind == "attack" and text not in (*BREAK_OUTS, *HARMLESS)) or kind == "edge":
        assert guarded.startswith("'")
    if kind.startswith(("benign", "info", "xlsx")) or text in HARMLESS:
        assert guarded == text
    if kind == "ambiguous":
        assert guarded == ("'" + text if file_format == "csv" else text)


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("x\n-5;1+1", "x\n'-5;1+1"),
        ("x\r\n+12;y\n", "x\r\n'+12;y\n"),
        ("x\r-6.2;106.8", "x\r'-6.2;106.8"),
        ("x\n-5\t1", "x\n'-5\t1"),
        ("x\n-5\ny", "x\n-5\ny"),
        ("x;-5;y", "x;-5;y"),
        ("x\t-5\ty", "x\t-5\ty"),
    ],
)
def test_a_number_on_a_line_of_its_own_is_one_whatever_the_separator(text: str, guarded: str) -> None:
    assert guard_text(text, "csv") == guarded


@pytest.mark.parametrize("text", ["+62 812-3456-7890 ", "-5,50 ", "-5%\u00a0", "-12  "])
def test_blanks_behind_a_plain_number_or_phone_make_no_formula_of_it_in_a_sheet(text: str) -> None:
    assert guard_text(text, "xlsx") == text
    assert guard_text(text + "+1", "xlsx") == f"'{text}+1"
