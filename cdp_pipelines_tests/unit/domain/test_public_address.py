import ipaddress
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.public_address import is_public_address
from cdp_pipelines_tests.unit.corpora import load_corpus

BLOCKED_IPV4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
BLOCKED_IPV6 = ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
OUTSIDE_GLOBAL_UNICAST = (
    "::/128",
    "::1/128",
    "::/96",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
METADATA = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254")
# Blocks that begin or end where another blocked one, or all addresses, end.
NOTHING_BEFORE = ("0.0.0.0/8", "240.0.0.0/4")
NOTHING_AFTER = ("224.0.0.0/4", "240.0.0.0/4")


@pytest.mark.parametrize("block", [*BLOCKED_IPV4, *BLOCKED_IPV6, *OUTSIDE_GLOBAL_UNICAST])
def test_a_blocked_range_is_blocked_from_its_first_to_its_last_address(block: str) -> None:
    network = ipaddress.ip_network(block)
    middle = network[network.num_addresses // 2]

    for address in (network[0], middle, network[-1]):
        assert not is_public_address(address)
        assert not is_public_address(str(address))


@pytest.mark.parametrize("block", [*BLOCKED_IPV4, *BLOCKED_IPV6])
def test_the_neighbours_of_a_blocked_range_are_public(block: str) -> None:
    network = ipaddress.ip_network(block)

    if block not in NOTHING_BEFORE:
        assert is_public_address(str(network[0] - 1))
    if block not in NOTHING_AFTER:
        assert is_public_address(str(network[-1] + 1))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", False),
        ("2000::", True),
        ("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:200::", True),
        ("2003::", True),
        ("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("3fff:1000::", True),
        ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("4000::", False),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("2606:2800:0220:0001:0248:1893:25C8:1946", True),
        ("1.1.1.1", True),
        ("223.255.255.255", True),
        ("255.255.255.255", False),
    ],
)
def test_edges_of_what_is_given_out(address: str, public: bool) -> None:
    assert is_public_address(address) is public


@pytest.mark.parametrize("address", METADATA)
def test_metadata_services_are_not_public(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize(
    "oddity",
    [
        "",
        " ",
        "1.1.1.1 ",
        " 1.1.1.1",
        "1.1.1.1\n",
        "1.1.1.1\x00",
        "1.1.1.1.",
        "1.1.1",
        "1.1",
        "16843009",
        "0x1.1.1.1",
        "0x01010101",
        "01.1.1.1",
        "001.001.001.001",
        "0o1.1.1.1",
        "256.1.1.1",
        "1.1.1.1/32",
        "1.1.1.1:80",
        "１.１.１.１",
        "1。1。1。1",
        "①.1.1.1",
        "127.1",
        "0x7f.1",
        "017.0.0.1",
        "2130706433",
        "[2606:2800:220:1:248:1893:25c8:1946]",
        "2606:2800:220:1:248:1893:25c8:1946%eth0",
        "2606:2800:220:1:248:1893:25c8:1946%",
        "2606:2800:220:1:248:1893:25c8:1946/128",
        "2606:2800:220:1:248:1893:25c8",
        "2606::2800::1",
        "2606:2800:220:1:248:1893:25c8:０946",
        "example.com",
        "\ud800",
        "1" * 100_000,
        ":" * 100_000,
        None,
        True,
        1,
        16_843_009,
        1.1,
        b"1.1.1.1",
        b"\x01\x01\x01\x01",
        bytearray(b"1.1.1.1"),
        ("1.1.1.1", 80),
        ["1.1.1.1"],
        Ellipsis,
        ipaddress.ip_network("1.1.1.1/32"),
        ipaddress.ip_interface("10.0.0.1/8"),
        IPv6Address("2606:2800:220:1::1%eth0"),
    ],
    ids=lambda oddity: repr(oddity)[:40],
)
def test_what_is_not_plainly_an_address_is_not_public(oddity: object) -> None:
    assert is_public_address(oddity) is False


PRIVATE_IPV4 = st.sampled_from(BLOCKED_IPV4).flatmap(lambda block: st.ip_addresses(network=block))


@settings(max_examples=60)
@given(PRIVATE_IPV4 | st.ip_addresses(v=4))
def test_an_ipv4_address_in_disguise_is_never_public(carried: Any) -> None:
    number = int(carried)
    disguises = (
        f"::ffff:{carried}",
        f"::ffff:0:{carried}",
        f"::{carried}",
        f"64:ff9b::{carried}",
        f"64:ff9b:1::{carried}",
        f"64:ff9b:1:{number >> 16:x}:{number & 0xFFFF:x}::",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::",
        str(IPv6Address((0x20010000 << 96) | (number << 64))),
        str(IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF))),
        f"fe80::5efe:{carried}",
        f"2606:4700::5efe:{carried}",
        f"2606:4700::100:5efe:{carried}",
        f"2606:4700::200:5efe:{carried}",
        f"2001:67c:2e8:22:300:5efe:{carried}",
    )

    assert [disguise for disguise in disguises if is_public_address(disguise)] == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        # ISATAP, with any bits "universal" and "group"
        ("2606:4700::5efe:10.0.0.1", False),
        ("2606:4700::200:5efe:169.254.169.254", False),
        ("2606:4700:1:2:100:5efe:7f00:1", False),
        ("2606:4700:1:2:300:5efe:101:101", False),
        ("2606:4700:1:2:400:5efe:a00:1", True),
        ("2606:4700:1:2:0:5eff:a00:1", True),
        ("2606:4700:1:2:1:5efe:a00:1", True),
        # a network's own prefix of NAT64
        ("2606:4700::10.0.0.1", False),
        ("2606:4700::169.254.169.254", False),
        ("2001:67c:2e8:22::127.0.0.1", False),
        ("2a00:1098:2b::192.168.1.1", False),
        ("2606:4700::6810:85e5", True),
        ("2001:67c:2e8:22::c100:64b", True),
        # hosts that are counted
        ("2a00:1450:4001:80f::200e", True),
        ("2606:4700::ff:ffff", True),
        ("2606:4700::1", True),
        ("2606:4700:0:0:0:1:a00:1", True),
    ],
)
def test_an_ipv4_address_in_the_lower_half(address: str, public: bool) -> None:
    assert is_public_address(address) is public


@settings(max_examples=60)
@given(PRIVATE_IPV4, st.ip_addresses(network="2400::/12"))
def test_no_translators_prefix_leads_to_a_private_address(carried: Any, network: Any) -> None:
    translated = IPv6Address(int(network) >> 64 << 64 | int(carried))

    assert is_public_address(translated) == (int(carried) >> 24 == 0)


@settings(max_examples=100)
@given(st.text(max_size=50) | st.binary(max_size=50) | st.integers() | st.none() | st.ip_addresses())
def test_never_raises(anything: Any) -> None:
    assert is_public_address(anything) in (True, False)


@settings(max_examples=60)
@given(st.ip_addresses())
def test_text_and_object_are_judged_alike(address: IPv4Address | IPv6Address) -> None:
    assert is_public_address(address) == is_public_address(str(address))


# What stands around an "@" is the business of whoever reads URLs.
CORPUS = [row for row in load_corpus("ssrf.json") if not isinstance(row, dict) or "@" not in row["url"]]


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row.get("id"))
def test_hosts_of_the_corpus(row: dict[str, Any]) -> None:
    host = urlsplit(row["url"]).hostname or ""
    is_name = not host.replace(".", "").isdigit() and ":" not in host

    assert is_public_address(host) == (row["expected"] == "allow" and not is_name)
