"""Where a CRM's attachments may be downloaded from: the settings, and the fetcher they make.

Not here: how a download is kept safe (`safe_http.py`), what an attachment may hold (`domain/contact_notes`).
"""

from typing import Any, Final, cast

import dagster as dg
from pydantic import Field, PrivateAttr

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.domain.web_address import LARGEST_FETCH_BYTES, FetchBlocked, FetchPolicy, read_host
from cdp_pipelines.resources.environment import optional_setting, required_setting
from cdp_pipelines.resources.safe_http import SafeFetcher
from cdp_pipelines.resources.trusted_hosts import entries_of, read_host_ports

HOSTS_SETTING: Final = "CDP_ATTACHMENT_HOSTS"
TRUSTED_SETTING: Final = "CDP_ATTACHMENT_TRUSTED_HOSTS"
ATTEMPTS: Final = 4
"""One try and three more, as of the CRM's API (SPEC 6)."""


class AttachmentFetcherResource(dg.ConfigurableResource[None]):
    """Downloads attachments. Settings: `CDP_ATTACHMENT_HOSTS`, `CDP_ATTACHMENT_TRUSTED_HOSTS`."""

    hosts: str = Field(
        default="",
        description="Hosts that files may come from, comma-separated; *.example.com stands for every name under "
        "example.com. Empty: CDP_ATTACHMENT_HOSTS.",
    )
    trusted_hosts: str = Field(
        default="",
        description="host:port, comma-separated, that may be in a private network; empty: "
        "CDP_ATTACHMENT_TRUSTED_HOSTS, and none if that is unset.",
    )
    largest_bytes: int = Field(
        default=LARGEST_FETCH_BYTES,
        gt=0,
        le=40 * LARGEST_FETCH_BYTES,
        description="Size of the largest file that is taken.",
    )
    total_seconds: float = Field(default=60, gt=0, le=600, description="How long one download may take, all in all.")
    retry_wait_seconds: float = Field(
        default=1,
        ge=0,
        le=60,
        description="How long to wait before a failed download is tried again; before the third and fourth try three "
        "times as long as before the last one.",
    )

    _fetcher: Any = PrivateAttr(default=None)

    def open(self) -> SafeFetcher:
        """The fetcher, made once a process; nothing is contacted yet.

        Raises:
            ConfigurationError: a setting is missing or wrong; the message names it.
        """
        if self._fetcher is None:
            self._fetcher = SafeFetcher(self._policy())
        return cast(SafeFetcher, self._fetcher)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Close the connections of this process."""
        self.close()

    def close(self) -> None:
        """Close the connections, if there are any; the next use connects again."""
        if self._fetcher is not None:
            self._fetcher.close()
            self._fetcher = None

    def _policy(self) -> FetchPolicy:
        trusted = read_trusted_hosts(optional_setting(TRUSTED_SETTING, self.trusted_hosts))
        # With trusted hosts alone there is somewhere to fetch from, as in the demo.
        hosts = optional_setting(HOSTS_SETTING, self.hosts) if trusted else required_setting(HOSTS_SETTING, self.hosts)
        return FetchPolicy(
            allowed_hosts=read_allowed_hosts(hosts),
            trusted=trusted,
            largest_bytes=self.largest_bytes,
            total_seconds=self.total_seconds,
            attempts=ATTEMPTS,
            retry_wait_seconds=self.retry_wait_seconds,
        )


def read_allowed_hosts(text: str) -> tuple[str, ...]:
    """The entries of a comma-separated allow list, in the spelling that URLs are compared in.

    Raises:
        ConfigurationError: `SETTING_INVALID`.
    """
    return tuple(_read_allowed_host(entry) for entry in entries_of(text))


def read_trusted_hosts(text: str) -> frozenset[tuple[str, int]]:
    """The entries of a comma-separated list of `host:port`.

    Raises:
        ConfigurationError: `SETTING_INVALID`.
    """
    return read_host_ports(text, setting=TRUSTED_SETTING)


def _read_allowed_host(entry: str) -> str:
    wildcard = "*." if entry.startswith("*.") else ""
    try:
        host = read_host(entry.removeprefix(wildcard))
    except FetchBlocked as exc:
        raise ConfigurationError(
            "SETTING_INVALID",
            f"{HOSTS_SETTING} must be host names with commas between them, such as files.example.com or "
            "*.example.com, without scheme, port or path.",
        ) from exc
    if wildcard and "." not in host:
        raise ConfigurationError(
            "SETTING_INVALID", f"{HOSTS_SETTING} has a wildcard for a whole top-level domain; name the hosts closer."
        )
    return wildcard + host
