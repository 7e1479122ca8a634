"""Reading a URL that a stranger chose, and whether a policy lets it be fetched.

Strict on purpose: what two readers could read differently is refused, and requests are built from the parts that are
read here, never from the text. Not here: whether an IP address is public (`public_address.py`), names and connections
(`cdp_pipelines.resources.safe_http_network`).
"""

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote, urljoin

from cdp_pipelines.domain.errors import PermanentFailure

LARGEST_FETCH_BYTES: Final = 25 * 1024 * 1024
LONGEST_URL: Final = 8_192

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HAS_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?", re.IGNORECASE
)
_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^][:@%]+)(?::(?P<port>[0-9]{1,5}))?")
_DOTTED_QUAD: Final = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")
# A name that ends so is an IPv4 address to some readers: "127.1", "0x7f.1", "2130706433".
_ENDS_IN_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
# Wider than the rule for host names, since real ones have underscores.
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*")
_THIS_MACHINE: Final = re.compile(r"(?:.*\.)?localhost(?:\.localdomain)?|ip6-(?:localhost|loopback)")
# What may stand in a path or query as it is; "%" because what is already encoded stays so.
_KEPT_IN_PATH: Final = "/:@!$&'()*+,;=~%[]|"
_KEPT_IN_QUERY: Final = _KEPT_IN_PATH + "?"


class FetchBlocked(PermanentFailure):
    """The address, or one that it redirects to, may not be fetched. Nothing was sent to a place that is forbidden.

    The text names the host at most, never path or query: those may hold secrets or personal data.
    """

    def __init__(self, message: str) -> None:
        super().__init__("FETCH_BLOCKED", message)


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A URL in parts: host as a lower-case ASCII name or IP address (no brackets), target as it goes into a request."""

    scheme: str
    host: str
    port: int
    target: str
    is_ip: bool

    @property
    def authority(self) -> str:
        """Host and port as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """What may be fetched, and how much and how long.

    `allowed_hosts` are names as `read_host` gives them, or `*.name` for all names under one; None: any public host.
    `trusted` are a host and port, exactly, that may be private; they need not be in `allowed_hosts`.
    `total_seconds` holds for a whole fetch with its redirects and attempts, the other times for each wait.
    """

    allowed_hosts: tuple[str, ...] | None
    trusted: frozenset[tuple[str, int]] = frozenset()
    largest_bytes: int = LARGEST_FETCH_BYTES
    connect_seconds: float = 5
    read_seconds: float = 10
    total_seconds: float = 60
    most_redirects: int = 3
    attempts: int = 2
    retry_wait_seconds: float = 0.5

    def trusts(self, host: str, port: int) -> bool:
        """Whether this host may be private at this port."""
        return (host, port) in self.trusted

    def check(self, address: WebAddress) -> None:
        """Judge by what the URL says; where its name leads is looked at when it is connected to.

        Raises:
            FetchBlocked: not an address that this policy fetches.
        """
        if self.trusts(address.host, address.port):
            return
        if _THIS_MACHINE.fullmatch(address.host):
            raise FetchBlocked("The address is one of this machine itself.")
        if address.port not in _DEFAULT_PORTS.values():
            raise FetchBlocked(f"Port {address.port} of {address.host} may not be fetched from, only 80 and 443.")
        if self.allowed_hosts is not None and not any(_covers(entry, address) for entry in self.allowed_hosts):
            raise FetchBlocked(f"The host {address.host} is not on the list of allowed hosts.")


def _covers(entry: str, address: WebAddress) -> bool:
    if entry.startswith("*."):
        return not address.is_ip and address.host.endswith(entry[1:]) and len(address.host) > len(entry[1:])
    return address.host == entry


def read_address(url: str) -> WebAddress:
    """The parts of an absolute http or https URL; its fragment is dropped.

    Raises:
        FetchBlocked: it is anything else, or could be understood in two ways.
    """
    _refuse_odd_characters(url)
    parts = _URL.fullmatch(url)
    if parts is None:
        raise FetchBlocked("The address does not begin with http:// or https://.")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise FetchBlocked("The address does not name one plain host, with a port at most.")
    scheme = parts["scheme"].lower()
    port = int(authority["port"]) if authority["port"] else _DEFAULT_PORTS[scheme]
    if not 0 < port <= 0xFFFF:
        raise FetchBlocked("The port in the address is not one.")
    host, is_ip = _read_host(authority["host"])
    target = quote(parts["path"], safe=_KEPT_IN_PATH) or "/"
    if parts["query"] is not None:
        target += "?" + quote(parts["query"], safe=_KEPT_IN_QUERY)
    return WebAddress(scheme, host, port, target, is_ip)


def read_redirect(base: WebAddress, location: str) -> WebAddress:
    """Where a redirect from `base` leads; relative ones are seen from there.

    Raises:
        FetchBlocked: as `read_address`, or it leads from https to http.
    """
    _refuse_odd_characters(location)
    if _HAS_SCHEME.match(location):
        # Read alone, since to some readers "http:x" is relative.
        text = location
    elif location.startswith("//"):
        text = f"{base.scheme}:{location}"
    else:
        text = urljoin(f"{base.scheme}://{base.authority}{base.target}", location)
    target = read_address(text)
    if base.scheme == "https" and target.scheme == "http":
        raise FetchBlocked(f"{base.host} redirects from https to plain http.")
    return target


def read_host(text: str) -> str:
    """A host as it stands in a URL (name, dotted quad, or IPv6 address in brackets), in the one spelling used here.

    Raises:
        FetchBlocked: it is none, or has a port.
    """
    _refuse_odd_characters(text)
    authority = _AUTHORITY.fullmatch(text)
    if authority is None or authority["port"]:
        raise FetchBlocked("This is not a host.")
    return _read_host(authority["host"])[0]


def _read_host(text: str) -> tuple[str, bool]:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1])), True
        except ValueError:
            raise FetchBlocked("The IPv6 address in the address is none.") from None
    host = text.lower() if text.isascii() else _in_ascii(text)
    host = host.removesuffix(".")
    if _ENDS_IN_NUMBER.fullmatch(host):
        return _read_ipv4(host), True
    if _NAME.fullmatch(host) is None:
        raise FetchBlocked("The host in the address is not a name.")
    return host, False


def _read_ipv4(host: str) -> str:
    try:
        if _DOTTED_QUAD.fullmatch(host):
            return str(IPv4Address(host))
    except ValueError:
        pass
    raise FetchBlocked("The host in the address is a number, or an IP address in an unusual spelling.")


def _in_ascii(name: str) -> str:
    import idna

    if any(unicodedata.category(character) == "Cf" for character in name):
        raise FetchBlocked("The host in the address has invisible characters.")
    try:
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise FetchBlocked("The host in the address is not a name.") from None


def _refuse_odd_characters(text: str) -> None:
    if len(text) > LONGEST_URL:
        raise FetchBlocked(f"The address is longer than {LONGEST_URL} characters.")
    if "\\" in text:
        raise FetchBlocked("The address has a backslash.")
    # Controls, lone surrogates, and spaces and line ends of every kind.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zs", "Zl", "Zp") for character in text):
        raise FetchBlocked("The address has spaces or control characters.")
