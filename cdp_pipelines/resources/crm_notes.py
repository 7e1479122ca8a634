"""Where the CRM's notes are read: one protocol, two sources, one setting that chooses.

Belongs here: the protocol and the choice. Not here: either source (`crm_notes_postgres.py`, `crm_notes_api.py`) and
what notes mean (`domain/contact_notes`).
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias, cast, get_args

import dagster as dg
from pydantic import Field

from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.resources.environment import optional_setting, required_setting
from cdp_pipelines.resources.number_settings import seconds_setting

SOURCE_SETTING: Final = "CDP_CRM_NOTES_SOURCE"
ROOT_URL_SETTING: Final = "CRM_API_ROOT_URL"
AUTH_SETTING: Final = "CRM_API_AUTH"
TIMEOUT_SETTING: Final = "CRM_NOTES_EXTRACT_TIMEOUT"
"""Within a run's lease, which a page's tries must not outlast."""

NotesSource: TypeAlias = Literal["postgres", "http"]


@dataclass(frozen=True, slots=True)
class NotesOverview:
    """How many notes there are, lowest and highest id; zeros for none."""

    total: int
    first_id: int
    last_id: int


class CrmNotesExtractor(Protocol):
    """The notes of one organization, with their files and check-ins; no method can reach another's.

    Every method raises:
        TransientFailure: a code that begins with `CRM_`, the source stayed away after bounded retries.
        PermanentFailure, ConfigurationError: it refused, or a setting is wrong.
    """

    def overview(self, cutoff: datetime | None, *, after: int = 0) -> NotesOverview:
        """Look over the notes made since `cutoff`, with ids above `after`; those without a readable time count too."""

    def edges(self, cutoff: datetime | None, *, first: int, last: int, parts: int) -> Sequence[int] | None:
        """The last ids of all but the last of so many parts of as many notes; None: cannot be said."""

    def notes(
        self, *, after: int, to: int, cutoff: datetime | None, page_rows: int
    ) -> Generator[list[CrmNote], None, None]:
        """Stream the notes with ids above `after` up to `to`, ascending, in pages of at most `page_rows`.

        Close the generator when leaving early.
        """

    def notes_by_id(self, ids: Sequence[int]) -> list[CrmNote]:
        """These notes, ascending, as far as they are there."""

    def noticed(self) -> Mapping[str, int]:
        """What was noticed of the source since this was last asked, by the name that counts it on a job."""

    def close(self) -> None:
        """Give the connections back."""


class CrmNotesResource(dg.ConfigurableResource[None]):
    """The CRM's notes. Settings: `CDP_CRM_NOTES_SOURCE`, and for `http` `CRM_API_ROOT_URL`, `CRM_API_AUTH`,
    `CRM_NOTES_EXTRACT_TIMEOUT`.
    """

    source: str = Field(
        default="", description="postgres or http; empty: CDP_CRM_NOTES_SOURCE, else postgres, the CRM's database."
    )
    root_url: str = Field(default="", description="Address of the CRM's API; empty: CRM_API_ROOT_URL.")
    authorization: str = Field(default="", description="Its Authorization header, a secret; empty: CRM_API_AUTH.")
    timeout_seconds: int | None = Field(
        default=None,
        description="How long one try may wait for the API, in seconds; empty: CRM_NOTES_EXTRACT_TIMEOUT (10).",
    )
    retry_waits: list[float] = Field(
        default=[1.0, 3.0, 9.0], description="Seconds before each further try of the API; longer where it asks so."
    )

    def open(self, cid: int, *, database: CrmPostgresResource, request_id: str = "") -> CrmNotesExtractor:
        """The notes of one organization; nothing is contacted yet.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        if self.chosen_source() == "postgres":
            from cdp_pipelines.resources.crm_notes_postgres import PostgresNotes

            return PostgresNotes(database.session(cid), database.mapping())
        from cdp_pipelines.resources.crm_api import LONGEST_WAIT_SECONDS, CrmApi
        from cdp_pipelines.resources.crm_notes_api import HttpNotes
        from cdp_pipelines.resources.http_client import HttpEndpoint

        endpoint = HttpEndpoint(
            name="The CRM's API",
            code="CRM",
            setting=ROOT_URL_SETTING,
            url=required_setting(ROOT_URL_SETTING, self.root_url),
            authorization=required_setting(AUTH_SETTING, self.authorization),
            timeout_seconds=self._timeout_seconds(),
        )
        if not all(0 <= seconds <= LONGEST_WAIT_SECONDS for seconds in self.retry_waits):
            raise ConfigurationError(
                "SETTING_INVALID", f"retry_waits must be 0 to {LONGEST_WAIT_SECONDS:.0f} seconds each."
            )
        return HttpNotes(CrmApi(endpoint, request_id=request_id, retry_waits=self.retry_waits), cid)

    def _timeout_seconds(self) -> float:
        """Seconds; also written as `10s`, the way other services of the house write durations."""
        return seconds_setting(TIMEOUT_SETTING, self.timeout_seconds)

    def chosen_source(self) -> NotesSource:
        """Which source this deployment reads.

        Raises:
            ConfigurationError: `SETTING_INVALID`.
        """
        chosen = optional_setting(SOURCE_SETTING, self.source, default="postgres").strip().lower()
        if chosen not in get_args(NotesSource):
            raise ConfigurationError("SETTING_INVALID", f"{SOURCE_SETTING} must be postgres or http.")
        return cast(NotesSource, chosen)
