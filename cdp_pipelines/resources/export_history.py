"""The shared export history of another team, where users see all their exports.

Belongs here: registering a row there. Not here: our own history (`stores`), and what becomes of a job when registering
fails: nothing, the caller logs and alerts (SPEC 3.4).
"""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol, TypeAlias

import dagster as dg
from pydantic import Field

from cdp_pipelines.resources.environment import optional_setting, required_setting
from cdp_pipelines.resources.http_client import HttpEndpoint, post_json

PATH: Final = "/report/v1/billings/logs/export"

RegisterResult: TypeAlias = Literal["registered", "not_configured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportHistoryRow:
    """One ended export. `export_type` is `Customer Data`, `exporter` the id of who asked for it.

    Where there is no file, `link` is "" and `expires_at` None.
    """

    file_name: str
    export_type: str
    exporter: str = field(repr=False)
    date: datetime
    link: str = field(repr=False)
    status: str
    expires_at: datetime | None

    def as_document(self) -> dict[str, Any]:
        """`{file_name, export_type, exporter, date, link, status, expires_at}`."""
        return asdict(self)

    def as_body(self) -> dict[str, str | None]:
        """The same for JSON, instants as RFC 3339 in UTC."""
        return {name: _rfc3339(v) if isinstance(v, datetime) else v for name, v in self.as_document().items()}


class ExportHistoryRegistrar(Protocol):
    """Where ended exports are registered."""

    def register(self, row: ExportHistoryRow, *, request_id: str) -> RegisterResult:
        """Register the row; `not_configured` when there is nowhere to.

        Raises:
            TransientFailure: `EXPORT_HISTORY_UNAVAILABLE`.
            PermanentFailure: `EXPORT_HISTORY_REFUSED`.
        """
        ...


class NoExportHistory:
    """The default: no outside history is configured."""

    def register(self, row: ExportHistoryRow, *, request_id: str) -> RegisterResult:  # noqa: ARG002 - the protocol's signature
        """Do nothing, and say so."""
        return "not_configured"


class HttpExportHistory:
    """`POST {root}/report/v1/billings/logs/export` with Basic authentication."""

    def __init__(self, endpoint: HttpEndpoint) -> None:
        self._endpoint = endpoint

    def register(self, row: ExportHistoryRow, *, request_id: str) -> RegisterResult:
        """See `ExportHistoryRegistrar.register`."""
        post_json(self._endpoint, PATH, row.as_body(), headers={"X-Request-ID": request_id})
        return "registered"


class ExportHistoryResource(dg.ConfigurableResource[None]):
    """The outside export history. Settings: `EXPORT_HISTORY_API_*`; off while the root URL is unset."""

    root_url: str = Field(default="", description="Address of the history API; empty: EXPORT_HISTORY_API_ROOT_URL.")
    client_id: str = Field(default="", description="Basic user; empty: EXPORT_HISTORY_API_CLIENT_ID.")
    secret: str = Field(default="", description="Basic password; empty: EXPORT_HISTORY_API_SECRET.")

    def open(self) -> ExportHistoryRegistrar:
        """The registrar; nothing is contacted yet.

        Raises:
            ConfigurationError: an address without its credentials, or one that is none.
        """
        root_url = optional_setting("EXPORT_HISTORY_API_ROOT_URL", self.root_url)
        if not root_url:
            return NoExportHistory()
        return HttpExportHistory(
            HttpEndpoint(
                name="The export history API",
                code="EXPORT_HISTORY",
                setting="EXPORT_HISTORY_API_ROOT_URL",
                url=root_url,
                client_id=required_setting("EXPORT_HISTORY_API_CLIENT_ID", self.client_id),
                secret=required_setting("EXPORT_HISTORY_API_SECRET", self.secret),
            )
        )


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
