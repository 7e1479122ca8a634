"""Reading a URL that a stranger chose, and whether a policy lets it be fetched.

Strict where an address says where to go: what two readers could take for two places is refused, and requests are built
from the parts that are read here, never from the text. Lenient behind that, as browsers are: people paste addresses
with blanks around them, and programs write the names of files into them as they are.

Not here: whether an IP address is public (`public_address.py`), names and connections
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

_WAITS_GROW: Final = 3

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HAS_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.IGNORECASE | re.DOTALL,
)
# Blanks and line ends of every kind, and what is pasted along without being seen.
_AROUND: Final = (
    " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
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
_LONE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BACKSLASH: Final = "The address has a backslash."


class FetchBlocked(PermanentFailure):
    """The address, or one that it redirects to, may not be fetched. Nothing was sent to a place that is forbidden.

    The text names the host at most, never path or query: those may hold secrets or personal data.
    """

    def __init__(self, message: str) -> None:
        super().__init__("FETCH_BLOCKED", message)


class AddressInvalid(FetchBlocked):
    """The address is none: a mistake of whoever wrote it, and no attempt at anything."""


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
    `total_seconds` holds for a whole fetch with its redirects, attempts and the waits between them, the other times for
    each wait. Before the second attempt `retry_wait_seconds` pass, before each further one three times as long, and
    longer if the server asks for it; not at all if it asks for more than there is time for.
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

    def retry_wait(self, attempt: int) -> float:
        """How long to wait after this attempt, the first being 1."""
        return float(self.retry_wait_seconds * _WAITS_GROW ** (attempt - 1))

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

    Blanks around it are taken off. In its path and query, blanks, letters beyond ASCII and a "%" that begins no escape
    are escaped, so a name that was never encoded is fetched as it was meant.

    Raises:
        AddressInvalid: it leads nowhere: relative, without a host, or with characters that no address has.
        FetchBlocked: it has another scheme, or could be understood in two ways.
    """
    text = _plain(url)
    parts = _URL.fullmatch(text)
    if parts is None:
        raise _of_another_scheme(text)
    scheme = parts["scheme"].lower()
    host, is_ip, port = _read_authority(parts["authority"])
    if "\\" in text:
        # Browsers take it for a slash, others do not.
        behind_a_path = parts["path"] and "\\" not in (parts["fragment"] or "")
        raise AddressInvalid(_BACKSLASH) if behind_a_path else FetchBlocked(_BACKSLASH)
    target = _escaped(parts["path"], _KEPT_IN_PATH) or "/"
    if parts["query"] is not None:
        target += "?" + _escaped(parts["query"], _KEPT_IN_QUERY)
    return WebAddress(scheme, host, port or _DEFAULT_PORTS[scheme], target, is_ip)


def refuse_blanks(url: str) -> None:
    """For addresses that a program is to send as they are: `read_address` would forgive blanks in and around them.

    Raises:
        AddressInvalid: it has blanks, line ends or control characters anywhere.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zs", "Zl", "Zp") for character in url):
        raise AddressInvalid("The address has spaces or control characters.")


def read_redirect(base: WebAddress, location: str) -> WebAddress:
    """Where a redirect from `base` leads; relative ones are seen from there. Cleaned as `read_address` does.

    Raises:
        AddressInvalid, FetchBlocked: as `read_address`, or it leads from https to http.
    """
    location = _plain(location)
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
    authority = _AUTHORITY.fullmatch(text)
    if authority is None or authority["port"] or text != _plain(text):
        raise FetchBlocked("This is not a host.")
    return _read_host(authority["host"])[0]


def _read_authority(text: str) -> tuple[str, bool, int | None]:
    """The host, whether it is an IP address, and the port if there is one."""
    if "\\" in text:
        raise FetchBlocked(_BACKSLASH)
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        # A password or an escape there is a classic of those who want one reader to see another host.
        error = FetchBlocked if "@" in text or "%" in text else AddressInvalid
        raise error("The address does not name one plain host, with a port at most.")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port <= 0xFFFF:
        raise AddressInvalid("The port in the address is not one.")
    return *_read_host(found["host"]), port


def _read_host(text: str) -> tuple[str, bool]:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1])), True
        except ValueError:
            raise AddressInvalid("The IPv6 address in the address is none.") from None
    host = text.lower() if text.isascii() else _in_ascii(text)
    host = host.removesuffix(".")
    if _ENDS_IN_NUMBER.fullmatch(host):
        return _read_ipv4(host), True
    if _NAME.fullmatch(host) is None:
        raise AddressInvalid("The host in the address is not a name.")
    return host, False


def _read_ipv4(host: str) -> str:
    try:
        if _DOTTED_QUAD.fullmatch(host):
            return str(IPv4Address(host))
    except ValueError:
        pass
    raise FetchBlocked("The host in the address is a number, or an IP address in an unusual spelling.")


# Signs without a width that names of some scripts are spelled with; IDNA says between which letters they may stand.
_JOINERS: Final = "\u200c\u200d"


def _in_ascii(name: str) -> str:
    import idna

    if any(unicodedata.category(character) == "Cf" and character not in _JOINERS for character in name):
        raise FetchBlocked("The host in the address has invisible characters.")
    try:
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        # Letters that turn into marks of an address, such as a wide "@", are no slip of a pen.
        meant = unicodedata.normalize("NFKC", name)
        error = AddressInvalid if not set(meant) & set("/@:?#%[]\\") else FetchBlocked
        raise error("The host in the address is not a name.") from None


def _plain(text: str) -> str:
    """Without what stands around it.

    Raises:
        AddressInvalid: it is too long, or has control characters or halves of letters in it.
    """
    plain = text.strip(_AROUND)
    if len(plain) > LONGEST_URL:
        raise AddressInvalid(f"The address is longer than {LONGEST_URL} characters.")
    # Browsers leave some of them out where others keep or refuse them, so what is meant is a guess.
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in plain):
        raise AddressInvalid("The address has control characters in it.")
    return plain


def _escaped(text: str, kept: str) -> str:
    return quote(_LONE_PERCENT.sub("%25", text), safe=kept)


def _of_another_scheme(text: str) -> FetchBlocked:
    names_a_place = _HAS_SCHEME.match(text) or text.startswith(("//", "\\\\", "/\\"))
    error = FetchBlocked if names_a_place else AddressInvalid
    return error("The address does not begin with http:// or https://.")
