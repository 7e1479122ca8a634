import pytest

from cdp_pipelines.domain.email_address import EmailAddress, is_email_address, read_email_address
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.resources.email_message import read_address
from cdp_pipelines_tests.unit.domain.contact_export.test_admission import admitted, rejected
from cdp_pipelines_tests.unit.domain.entity_export.test_request import read

TAKEN = [
    ("ani@example.com", "ani", "example.com"),
    (" budi@example.com ", "budi", "example.com"),
    ("\u00a0budi@example.com\n", "budi", "example.com"),
    ("info@straße.de", "info", "xn--strae-oqa.de"),
    ("info@STRASSE.DE", "info", "strasse.de"),
    ("a@βόλος.example", "a", "xn--nxasmm1c.example"),
    ("a@FAẞ.de", "a", "xn--fa-hia.de"),
    ("a@例え。example", "a", "xn--r8jz45g.example"),
    ("a@نامه\u200cای.example", "a", "xn--mgba3gch31f060k.example"),
    ("a@ශ්\u200dරී.example", "a", "xn--10cl1a0b660p.example"),
    ("a@xn--strae-oqa.de", "a", "xn--strae-oqa.de"),
    ("o'neil+tag/x=y_z@mail.example.co.id", "o'neil+tag/x=y_z", "mail.example.co.id"),
    ("pengguna.é@example.com", "pengguna.é", "example.com"),
    ("a@r3---sn.example", "a", "r3---sn.example"),
    ("a@kantor.local", "a", "kantor.local"),
    ("a" * 64 + "@example.com", "a" * 64, "example.com"),
]
REFUSED = [
    "a..b@example.com", "ani@example.com.", ".ani@example.com", "ani.@example.com", "ani@.example.com",
    "ani@example..com", "ani@-example.com", "ani@example-.com", "ani@exa_mple.com", "ani@exa mple.com",
    "a b@example.com",
    '"a b"@example.com', "ani@[127.0.0.1]", "ani@127.0.0.1", "ani", "@example.com", "ani@", "a@b@example.com",
    "ani@example.com, budi@example.com", "Ani <ani@example.com>", "ani@example.com\r\nBcc: x@y.example",
    "ani\0@example.com",
    "ani@exam\u200cple.com", "ani@exam\u200dple.com", "ani@\u200cexample.com", "a\u200cni@example.com",
    "a\u200bni@example.com", "ani@exam\u200bple.com", "ani@xn--a.example", "a" * 65 + "@example.com",
    "é" * 33 + "@example.com", "a@" + "a" * 64 + ".com", "a@" + "a." * 125 + "com", "a\ud800@example.com",
    "ani@ex\ud800.com",
    "ani@example.com。", "(x)ani@example.com", "ani@example.c\u2028om",
]  # fmt: skip


@pytest.mark.parametrize(("text", "local", "domain"), TAKEN)
def test_an_address_that_is_admitted_can_be_sent_to(text: str, local: str, domain: str) -> None:
    assert read_email_address(text) == EmailAddress(local, domain)
    assert admitted(email=text).email == read(email=text).email == text.strip()
    sent = read_address(text, "The recipient")
    assert (sent.username, sent.domain) == (local, domain)


@pytest.mark.parametrize("text", REFUSED)
def test_what_could_not_be_sent_to_is_refused_at_admission(text: str) -> None:
    assert not is_email_address(text)
    assert rejected(email=text).code == "EXPORT_REQUEST_INVALID"
    with pytest.raises(ValueError, match="email"):
        read(email=text)


@pytest.mark.parametrize(
    "text", [text for text in REFUSED if text not in {"Ani <ani@example.com>", "(x)ani@example.com"}]
)
def test_the_sender_refuses_the_same(text: str) -> None:
    with pytest.raises(PermanentFailure, match="EMAIL_INVALID"):
        read_address(text, "The recipient")


@pytest.mark.parametrize("raw", ["  ", "\n", 5, ["ani@example.com"]])
def test_no_address(raw: object) -> None:
    assert rejected(email=raw).code == "EXPORT_REQUEST_INVALID"


def test_a_domain_of_one_label_is_for_our_own_sender_only() -> None:
    assert read_email_address("cdp@localhost") is None
    assert read_email_address("cdp@localhost", dotless=True) == EmailAddress("cdp", "localhost")


def test_domains_are_mapped_before_they_are_encoded() -> None:
    assert read_email_address("a@ｅｘａｍｐｌｅ.com") == EmailAddress("a", "example.com")


def test_the_longest_address() -> None:
    domain = ".".join(["d" * 63, "d" * 63, "d" * 57, "com"])
    longest = "l" * (254 - 1 - len(domain)) + "@" + domain

    assert len(longest) == 254
    assert is_email_address(longest)
    assert not is_email_address("l" + longest)
