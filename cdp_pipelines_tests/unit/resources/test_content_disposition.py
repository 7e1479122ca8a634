"""A file's name in a header: right for browsers, useless for injection."""

from email.message import EmailMessage
from urllib.parse import unquote

import pytest

from cdp_pipelines.resources.content_disposition import LONGEST_NAME_CHARACTERS, attachment_disposition


def test_plain_name() -> None:
    assert attachment_disposition("export_1.csv") == (
        "attachment; filename=\"export_1.csv\"; filename*=UTF-8''export_1.csv"
    )


def test_name_in_another_script_is_percent_encoded() -> None:
    header = attachment_disposition("pelanggan 客户.xlsx")
    assert 'filename="pelanggan __.xlsx"' in header
    assert unquote(header.rpartition("''")[2]) == "pelanggan 客户.xlsx"
    assert header.isascii()


@pytest.mark.parametrize(
    "name",
    [
        'a"; filename="b.exe',
        "a\r\nSet-Cookie: x=1",
        "..\\..\\etc\\passwd",
        "../../etc/passwd",
        "a\u202excod.exe",
        "a\x00b",
        "a\\",
    ],
)
def test_hostile_names_stay_inside_their_quotes(name: str) -> None:
    header = attachment_disposition(name)
    assert header.isprintable()
    assert header.count('"') == 2
    assert "/" not in header
    assert "\\" not in header
    message = EmailMessage()
    message["Content-Disposition"] = header
    assert list(message["Content-Disposition"].params) == ["filename"]


@pytest.mark.parametrize("name", ["", "   ", "\r\n", "///"])
def test_nothing_left_is_called_download(name: str) -> None:
    assert 'filename="download"' in attachment_disposition(name)


def test_long_name_keeps_its_ending() -> None:
    header = attachment_disposition("x" * 500 + ".csv")
    assert f'filename="{"x" * (LONGEST_NAME_CHARACTERS - 4)}.csv"' in header
