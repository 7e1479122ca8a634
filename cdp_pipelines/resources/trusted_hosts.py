"""Reading settings that name, exactly, the hosts and ports which may be in a private network.

Belongs here: the one spelling of such lists. Not here: what a trusted host may then be used for (the policies).
"""

import re
from typing import Final

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.domain.web_address import FetchBlocked, read_host

_HOST_AND_PORT: Final = re.compile(r"(?P<host>\[[^]]*\]|[^:]*):(?P<port>[0-9]{1,5})")


def entries_of(text: str) -> list[str]:
    """The entries of a comma-separated list."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def read_host_ports(text: str, *, setting: str) -> frozenset[tuple[str, int]]:
    """The entries of a comma-separated list of `host:port`, in the spelling that addresses are compared in.

    Raises:
        ConfigurationError: `SETTING_INVALID`; the message names the setting.
    """
    return frozenset(_read_host_port(entry, setting) for entry in entries_of(text))


def _read_host_port(entry: str, setting: str) -> tuple[str, int]:
    parts = _HOST_AND_PORT.fullmatch(entry)
    try:
        if parts is not None and 0 < int(parts["port"]) <= 0xFFFF:
            return read_host(parts["host"]), int(parts["port"])
    except FetchBlocked:
        pass
    raise ConfigurationError(
        "SETTING_INVALID",
        f"{setting} must be host:port with commas between them, such as 127.0.0.1:8080 or [::1]:8080.",
    )
