"""What is read out of a URL, and what is refused."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.web_address import (
    AddressInvalid,
    WebAddress,
    read_address,
    read_host,
    read_redirect,
    refuse_blanks,
)
from cdp_pipelines.resources.safe_http import FetchBlocked, FetchPolicy

ANY_HOST = FetchPolicy(allowed_hosts=None)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a.example", WebAddress("http", "a.example", 80, "/", is_ip=False)),
        ("HTTPS://A.Example/B?C=D#e", WebAddress("https", "a.example", 443, "/B?C=D", is_ip=False)),
        ("https://a.example:8443/", WebAddress("https", "a.example", 8443, "/", is_ip=False)),
        ("http://a.example:443/", WebAddress("http", "a.example", 443, "/", is_ip=False)),
        ("https://a.example./x", WebAddress("https", "a.example", 443, "/x", is_ip=False)),
        ("https://a.example?x", WebAddress("https", "a.example", 443, "/?x", is_ip=False)),
        ("https://a.example/?", WebAddress("https", "a.example", 443, "/?", is_ip=False)),
        ("https://a_b.s3.example/x", WebAddress("https", "a_b.s3.example", 443, "/x", is_ip=False)),
        ("https://r3---sn.example/x", WebAddress("https", "r3---sn.example", 443, "/x", is_ip=False)),
        ("https://bücher.example/", WebAddress("https", "xn--bcher-kva.example", 443, "/", is_ip=False)),
        ("https://ＢÜCHER。example/", WebAddress("https", "xn--bcher-kva.example", 443, "/", is_ip=False)),
        ("https://1.2.3.4/x", WebAddress("https", "1.2.3.4", 443, "/x", is_ip=True)),
        ("https://1.2.3.4./x", WebAddress("https", "1.2.3.4", 443, "/x", is_ip=True)),
        ("https://１.２.３.４/x", WebAddress("https", "1.2.3.4", 443, "/x", is_ip=True)),
        ("http://[2606:2800:0220:1::25C8]:80/", WebAddress("http", "2606:2800:220:1::25c8", 80, "/", is_ip=True)),
        ("https://a.example/a%20b%2Fc.pdf", WebAddress("https", "a.example", 443, "/a%20b%2Fc.pdf", is_ip=False)),
        ("https://a.example/é<?q=ü/?", WebAddress("https", "a.example", 443, "/%C3%A9%3C?q=%C3%BC/?", is_ip=False)),
        ("https://a.example//b.example/", WebAddress("https", "a.example", 443, "//b.example/", is_ip=False)),
        ("https://a.example/@b.example:22/", WebAddress("https", "a.example", 443, "/@b.example:22/", is_ip=False)),
    ],
)  # fmt: skip
def test_a_url_in_parts(url: str, expected: WebAddress) -> None:
    assert read_address(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example/x",
        "//a.example/x",
        "/x",
        "http:a.example",
        "http:/a.example",
        "http:///x",
        "http://",
        "http://?x",
        "http://#",
        "ftp://a.example/",
        "httpx://a.example/",
        "javascript://a.example/%0aalert(1)",
        " ",
        "a b.pdf",
        "http:// a.example/",
        "http://a b.example/",
        "http://a.example /x",
        "http://a.example\u00a0/x",
        "http://a.example\u3000b/x",
        "http://a.example :80/x",
        "http://a.example/a\tb.pdf",
        "http://a.example/a\nb.pdf",
        "http://a.example/\x85b",
        "http://a.example/\r\nHost: b",
        "http://a.example/\x00",
        "http://a.example/\x7f",
        "http://a.example/\ud800",
        "http://a.exa\tmple/",
        "http://a.example\\@b.example/",
        "http://a.example/\\x",
        "http://user@a.example/",
        "http://user:pass@a.example/",
        "http://@a.example/",
        "http://a.example:/",
        "http://a.example:0/",
        "http://a.example:65536/",
        "http://a.example:080000/",
        "http://a.example:-1/",
        "http://a.example:８０/",
        "http://a.example:80:80/",
        "http://a.example:x/",
        "http://a%2eexample/",
        "http://%61.example/",
        "http://a..example/",
        "http://.a.example/",
        "http://a.example../",
        "http://./",
        "http://-a.example/",
        "http://a.-b.example/",
        "http://a!b.example/",
        "http://a,b.example/",
        "http://a;b/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 127 + "example/",
        "http://a\u200bb.example/",
        "http://a\u00adb.example/",
        "http://a\u202eb.example/",
        "http://ex℀mple/",
        "http://a＠b.example/",
        "http://a：80/",
        "http://a／b/",
        "http://😀.example/",
        "http://1.2.3/",
        "http://1.2.3.4.5/",
        "http://1.2.3.256/",
        "http://1.2.3.04/",
        "http://16909060/",
        "http://0x01020304/",
        "http://0x1.2.3.4/",
        "http://1.2.3.0x4/",
        "http://0X01020304/",
        "http://a.example.0x/",
        "http://①⑥⑨⓪⑨⓪⑥⓪/",
        "http://[::1/",
        "http://::1/",
        "http://[::1]x/",
        "http://[::1%25eth0]/",
        "http://[::1%eth0]/",
        "http://[1.2.3.4]/",
        "http://[v1.a]/",
        "http://[]/",
        "http://[a.example]/",
        "http://a.example/" + "x" * 8_192,
    ],
    ids=lambda url: ascii(url)[:40],
)
def test_a_url_that_is_none_or_could_be_read_in_two_ways(url: str) -> None:
    with pytest.raises(FetchBlocked) as caught:
        read_address(url)

    assert caught.value.code == "FETCH_BLOCKED"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://cdn.example.com/uploads/My File (1).pdf", "/uploads/My%20File%20(1).pdf"),
        ("https://cdn.example.com/a.pdf ", "/a.pdf"),
        ("https://cdn.example.com/a.pdf\n", "/a.pdf"),
        ("\t\r\n https://cdn.example.com/a.pdf\u00a0\u3000\u2028", "/a.pdf"),
        ("\ufeffhttps://cdn.example.com/a.pdf\u200b", "/a.pdf"),
        ("https://cdn.example.com/Laporan – Q1 2024.pdf", "/Laporan%20%E2%80%93%20Q1%202024.pdf"),
        ("https://cdn.example.com/a b.png", "/a%20b.png"),
        ("https://cdn.example.com/a\u00a0b\u2009c.png", "/a%C2%A0b%E2%80%89c.png"),
        ("https://cdn.example.com/a\u2028b.png", "/a%E2%80%A8b.png"),
        ("https://cdn.example.com/a  b/ c ?x= y z", "/a%20%20b/%20c%20?x=%20y%20z"),
        ("https://cdn.example.com/Diskon 50%.pdf", "/Diskon%2050%25.pdf"),
        ("https://cdn.example.com/100%zz%2%20%.pdf?q=5%&r=%41", "/100%25zz%252%20%25.pdf?q=5%25&r=%41"),
        ("https://cdn.example.com/a%20b c.pdf", "/a%20b%20c.pdf"),
        ('https://cdn.example.com/"q"<b>^`{}.pdf', "/%22q%22%3Cb%3E%5E%60%7B%7D.pdf"),
        ("https://cdn.example.com/文件 (1)👍.pdf", "/%E6%96%87%E4%BB%B6%20(1)%F0%9F%91%8D.pdf"),
        ("https://cdn.example.com/a b.pdf#page 2", "/a%20b.pdf"),
        ("https://cdn.example.com? a", "/?%20a"),
    ],
    ids=ascii,
)
def test_a_name_that_was_never_encoded_is_fetched_as_it_was_meant(url: str, target: str) -> None:
    assert read_address(url) == WebAddress("https", "cdn.example.com", 443, target, is_ip=False)


@pytest.mark.parametrize("blank", [" ", "\n", "\t", "\x00", "\u00a0", "\u2028", "\u2029", "\x7f", "\ud800"], ids=ascii)
def test_an_address_that_a_program_is_to_send_has_no_blanks(blank: str) -> None:
    refuse_blanks("https://hooks.example.com/a?b=%20ü")
    for url in (f"https://a.example/{blank}", f"{blank}https://a.example/", f"https://a.example/a{blank}b"):
        with pytest.raises(AddressInvalid, match="spaces or control characters"):
            refuse_blanks(url)


@pytest.mark.parametrize(
    ("url", "invalid"),
    [
        # leads nowhere
        ("", True),
        ("foto.png", True),
        ("/uploads/a.png", True),
        ("cdn.example.com/a.png", True),
        ("https:///a.png", True),
        ("https://", True),
        ("https://?x", True),
        ("https://cdn .example.com/a.png", True),
        ("https://cdn..example.com/a.png", True),
        ("https://cdn_!.example.com/a.png", True),
        ("https://😀.example/", True),
        ("https://cdn.example.com:x/a.png", True),
        ("https://cdn.example.com:/a.png", True),
        ("https://cdn.example.com:0/a.png", True),
        ("https://cdn.example.com:65536/a.png", True),
        ("https://[::1/a.png", True),
        ("https://[1.2.3.4]/", True),
        ("https://cdn.example.com/a\nb.png", True),
        ("https://cdn.example.com/a\x00b.png", True),
        ("https://cdn.example.com/\ud800.png", True),
        ("https://cdn.example.com/uploads\\a.png", True),
        ("https://cdn.example.com/a.png?x=C:\\y", True),
        ("https://cdn.example.com/" + "x" * 8_192, True),
        # leads elsewhere than it seems to, or to something else than a web server
        ("ftp://cdn.example.com/a.png", False),
        ("file:///etc/passwd", False),
        ("data:text/plain,hi", False),
        ("http:127.0.0.1/", False),
        ("https:/cdn.example.com/", False),
        ("//169.254.169.254/x", False),
        ("\\\\server\\share", False),
        ("/\\b.example/", False),
        ("https://a.example\\@b.example/", False),
        ("https://a.example\\.b.example/", False),
        ("https://127.0.0.1:80#\\@b.example/", False),
        ("https://user:pass@a.example/", False),
        ("https://@a.example/", False),
        ("https://a.example%40b.example/", False),
        ("https://a.example &@b.example/", False),
        ("https://a＠b.example/", False),
        ("https://ex℀mple/", False),
        ("https://a\u200bb.example/", False),
        ("https://2130706433/", False),
        ("https://127.1/", False),
        ("https://0x7f.0.0.1/", False),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_slip_of_the_pen_is_told_from_an_address_that_misleads(url: str, invalid: bool) -> None:
    with pytest.raises(FetchBlocked) as caught:
        read_address(url)

    assert isinstance(caught.value, AddressInvalid) is invalid


@settings(max_examples=150)
@given(st.text(alphabet=st.sampled_from("htps:/@.[]%?#\\ 01x7f①。\u00adéa-_\r\n\x00"), max_size=40))
def test_whatever_is_read_is_one_plain_host_and_an_ascii_target(rest: str) -> None:
    try:
        address = read_address("http://" + rest)
    except FetchBlocked:
        return

    assert address.target.isascii()
    assert address.target.startswith("/")
    assert not set(address.host) & set("@/?#\\%[] \r\n\x00")
    # Other readers see the same host in what is sent as in what was checked.
    assert urlsplit(f"http://{address.authority}{address.target}").hostname == address.host
    assert read_address(f"http://{address.authority}{address.target}") == address


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/b", "https://a.example:8443/b"),
        ("b?c#d", "https://a.example:8443/x/b?c"),
        ("../b", "https://a.example:8443/b"),
        ("?c", "https://a.example:8443/x/y?c"),
        ("", "https://a.example:8443/x/y?z"),
        ("//b.example/c", "https://b.example/c"),
        ("https://b.example", "https://b.example/"),
        ("/é", "https://a.example:8443/%C3%A9"),
        ("/b c", "https://a.example:8443/b%20c"),
        (" /b ", "https://a.example:8443/b"),
        ("\ufeffLaporan – Q1 (2).pdf\r\n", "https://a.example:8443/x/Laporan%20%E2%80%93%20Q1%20(2).pdf"),
        (" https://b.example/50%.pdf", "https://b.example/50%25.pdf"),
        ("?c d#e f", "https://a.example:8443/x/y?c%20d"),
    ],
)
def test_where_a_redirect_leads(location: str, expected: str) -> None:
    assert read_redirect(read_address("https://a.example:8443/x/y?z"), location) == read_address(expected)


@pytest.mark.parametrize(
    "location",
    [
        "http://a.example/",
        "https:b",
        "https:/b",
        "https:127.0.0.1/",
        "ftp://b.example/",
        "javascript:alert(1)",
        "//user@b.example/",
        "//[::1/",
        "//",
        "/\\b.example/",
        "/b\r\nX: y",
        "//a b.example/",
        "/\\\\b.example/",
    ],
)
def test_a_redirect_that_is_not_followed(location: str) -> None:
    with pytest.raises(FetchBlocked):
        read_redirect(read_address("https://a.example/x/y"), location)


@pytest.mark.parametrize(
    ("url", "allowed_hosts", "fetched"),
    [
        ("https://a.example/", None, True),
        ("https://a.example/", ("a.example",), True),
        ("https://A.example./", ("a.example",), True),
        ("https://b.a.example/", ("a.example",), False),
        ("https://b.a.example/", ("*.a.example",), True),
        ("https://c.b.a.example/", ("*.a.example",), True),
        ("https://a.example/", ("*.a.example",), False),
        ("https://ba.example/", ("*.a.example", "a.example"), False),
        ("https://a.example.b.example/", ("a.example", "*.a.example"), False),
        ("https://a.example/", (), False),
        ("https://a.example:8443/", None, False),
        ("https://a.example:22/", ("a.example",), False),
        ("http://a.example:443/", ("a.example",), True),
        ("http://localhost/", None, False),
        ("http://LOCALHOST./", ("localhost",), False),
        ("http://x.localhost/", None, False),
        ("http://localhost.localdomain/", None, False),
        ("http://ip6-loopback/", None, False),
        ("http://localhost:8080/", None, True),
        ("http://10.0.0.1:9000/", (), True),
        ("http://10.0.0.1:9001/", (), False),
        ("http://[::1]:80/", (), True),
    ],
)
def test_policy(url: str, allowed_hosts: tuple[str, ...] | None, fetched: bool) -> None:
    trusted = frozenset({("localhost", 8080), ("10.0.0.1", 9000), ("::1", 80)})
    policy = FetchPolicy(allowed_hosts=allowed_hosts, trusted=trusted)
    if fetched:
        policy.check(read_address(url))
        return
    with pytest.raises(FetchBlocked):
        policy.check(read_address(url))


@pytest.mark.parametrize("text", ["", "a.example:80", "https://a.example", "a.example/x", "a b", "*", "127.1", "::1"])
def test_a_host_that_is_none(text: str) -> None:
    with pytest.raises(FetchBlocked):
        read_host(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Files.Example.com.", "files.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("1.2.3.4", "1.2.3.4"),
        ("[2606:2800:0220::1]", "2606:2800:220::1"),
    ],
)
def test_a_host_in_the_one_spelling(text: str, host: str) -> None:
    assert read_host(text) == host
    for blank in (" ", "\n", "\ufeff"):
        for around in (f"{blank}{text}", f"{text}{blank}"):
            with pytest.raises(FetchBlocked):
                read_host(around)


def test_texts_of_errors_hold_neither_path_nor_query() -> None:
    for url in (
        "https://a.example:22/SECRET?SECRET",
        "https://u:SECRET@a.example/",
        "ftp://a/SECRET",
        "http://a/\\SECRET",
    ):
        with pytest.raises(FetchBlocked) as caught:
            ANY_HOST.check(read_address(url))
        assert "SECRET" not in str(caught.value)


def test_a_host_may_have_the_signs_without_a_width_that_its_script_spells_with() -> None:
    assert read_address("https://نامه\u200cای.example/a").host == "xn--mgba3gch31f060k.example"
    assert read_address("https://ශ්\u200dරී.example/a").host == "xn--10cl1a0b660p.example"
    for host in ("exam\u200cple.com", "exam\u200dple.com", "\u200cexample.com", "127.0.0\u200d.1"):
        with pytest.raises(FetchBlocked):
            read_address(f"https://{host}/a")
