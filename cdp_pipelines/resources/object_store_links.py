"""Links to files that work without an account, until they expire.

Belongs here: signing, and saying truly when a link dies. Not here: how long a link should live (SPEC 3.4, in `domain`).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from cdp_pipelines.domain.errors import ConfigurationError, TransientFailure
from cdp_pipelines.resources.content_disposition import attachment_disposition
from cdp_pipelines.resources.object_store_errors import translating

if TYPE_CHECKING:
    from cdp_pipelines.resources.object_store_connection import StoreConnection

LONGEST_LINK_SECONDS: Final = 604_800
"""Seven days: SigV4 takes no more."""

_SIGNING_TRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PresignedLink:
    """A URL, and the instant (UTC) after which the store refuses it. The URL is a secret: `repr` leaves it out."""

    url: str = field(repr=False)
    expires_at: datetime


def presigned_link(
    connection: "StoreConnection", key: str, *, valid_seconds: int, download_name: str | None = None
) -> PresignedLink:
    """Sign a GET of `key` for `valid_seconds`, or for as long as the signing credentials live if that is shorter.

    Credentials of a role end by themselves and every link signed with them ends too, so the link is signed for no
    longer and `expires_at` is what really happens. Nothing is contacted, so the object need not exist.

    Raises:
        ValueError: `valid_seconds` is not between 1 and 604,800.
        TransientFailure: `OBJECT_STORE_UNAVAILABLE`, the credentials have ended or cannot be fetched.
        ConfigurationError: there are no credentials.
    """
    if not 1 <= valid_seconds <= LONGEST_LINK_SECONDS:
        raise ValueError(f"valid_seconds must be between 1 and {LONGEST_LINK_SECONDS}, not {valid_seconds}")
    params: dict[str, Any] = {"Bucket": connection.bucket, "Key": key}
    if download_name is not None:
        params["ResponseContentDisposition"] = attachment_disposition(download_name)
    for _ in range(_SIGNING_TRIES):
        used = _frozen(connection)
        seconds = _while_credentials_live(connection, valid_seconds)
        with translating("signing a link"):
            url = connection.signing_client.generate_presigned_url("get_object", Params=params, ExpiresIn=seconds)
        # The driver may swap the credentials at any call: only a link signed by the pair just measured has a known end.
        if _frozen(connection) == used:
            return PresignedLink(url=url, expires_at=_end_of(url))
    raise TransientFailure("OBJECT_STORE_UNAVAILABLE", "The signing credentials kept changing while signing a link.")


def _frozen(connection: "StoreConnection") -> Any:
    credentials = connection.credentials()
    if credentials is None:
        raise ConfigurationError(
            "SETTING_MISSING", "No credentials to sign a link with. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    with translating("looking for credentials"):
        return credentials.get_frozen_credentials()


def _while_credentials_live(connection: "StoreConnection", valid_seconds: int) -> int:
    end = connection.credentials_end()
    if end is None:
        return valid_seconds
    left = int((end - datetime.now(UTC)).total_seconds())
    if left < 1:
        raise TransientFailure("OBJECT_STORE_UNAVAILABLE", "The signing credentials have ended; none can sign a link.")
    return min(valid_seconds, left)


def _end_of(url: str) -> datetime:
    """The end the signature itself states, so that it cannot differ from what was signed."""
    query = parse_qs(urlsplit(url).query)
    signed_at = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return signed_at + timedelta(seconds=int(query["X-Amz-Expires"][0]))
