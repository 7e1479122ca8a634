"""Which IP addresses are out in the public internet, so that a fetch which strangers chose may go there (SPEC 6).

Belongs here: addresses. Not here: names and URLs, and who asks (`cdp_pipelines.resources.safe_http`).
"""

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

# Our own list, since `is_global` changes with the Python version and lets NAT64, 6to4, mapped and site-local forms
# through. Sources: the IANA IPv4 and IPv6 special-purpose address registries, as of 2025-10-09
# (https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry).
# Anycast services that the registries call reachable (AS112, AMT) are blocked as well: nobody keeps files there.
_BLOCKED_IPV4: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private use
        "100.64.0.0/10",  # shared address space; holds Alibaba Cloud's metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's own endpoint in every virtual network, though it looks public
        "169.254.0.0/16",  # link-local; holds the metadata services of most clouds
        "172.16.0.0/12",  # private use
        "192.0.0.0/24",  # IETF protocol assignments; holds Oracle Cloud's metadata service
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunneling
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private use
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

# All else is not given out as global unicast: loopback, mapped and compatible IPv4, both NAT64 prefixes, unique local,
# link-local, site-local, segment routing (5f00::/16), multicast.
_GLOBAL_UNICAST_IPV6: Final = IPv6Network("2000::/3")
_BLOCKED_IPV6: Final = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, ORCHID and more
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)

# What stands in the upper half of a host's 64 bits where the lower is an IPv4 address: ISATAP (RFC 5214), whatever
# its two bits "universal" and "group" are.
_ISATAP: Final = 0x5EFE
_ISATAP_MASK: Final = 0xFCFF_FFFF

_LONGEST_TEXT: Final = len("0000:0000:0000:0000:0000:0000:000.000.000.000")


def is_public_address(address: object) -> bool:
    """True for an IPv4 or IPv6 address, as text or an `ipaddress` object, of a host in the public internet.

    False for all else, odd spellings (`127.1`, `0x7f.1`, `017.0.0.1`), zones and things that are no address included.
    An address that carries another in it (mapped, NAT64, 6to4, Teredo, ISATAP) is never public; one of a network's own
    NAT64 prefix, which looks like any other, is not where it carries an IPv4 address that is not. Never raises.
    """
    if isinstance(address, IPv4Address):
        return _is_public_ipv4(address)
    if isinstance(address, IPv6Address):
        return _is_public_ipv6(address)
    # Numbers and bytes are addresses to `ipaddress` too, so they must not get that far.
    if not isinstance(address, str) or len(address) > _LONGEST_TEXT:
        return False
    try:
        return is_public_address(ipaddress.ip_address(address))
    except ValueError:
        return False


def _is_public_ipv4(address: IPv4Address) -> bool:
    return not any(address in block for block in _BLOCKED_IPV4)


def _is_public_ipv6(address: IPv6Address) -> bool:
    # A zone only means something on a link of this machine.
    if address.scope_id is not None or address not in _GLOBAL_UNICAST_IPV6:
        return False
    return not any(address in block for block in _BLOCKED_IPV6) and not _leads_inside(address)


def _leads_inside(address: IPv6Address) -> bool:
    """Whether its lower half carries an IPv4 address that a translator or a tunnel of the network would go on to."""
    marker, carried = int(address) >> 32 & 0xFFFF_FFFF, IPv4Address(int(address) & 0xFFFF_FFFF)
    if marker & _ISATAP_MASK == _ISATAP:
        return True
    # Translated by a prefix of 96 bits (RFC 6052). Hosts that are simply counted, `…::1` and `…::200e`, look as if they
    # carried an address of 0.0.0.0/8, so those say nothing; nor do public ones, with which some number their hosts.
    return marker == 0 and int(carried) >> 24 != 0 and not _is_public_ipv4(carried)
