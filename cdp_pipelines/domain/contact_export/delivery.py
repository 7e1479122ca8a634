"""Names and states of what leaves the building: the object key, the file's name, and how a job may end.

Belongs here: pure naming and deciding. Not here: uploading and sending (`resources/`), recording (`stores/`).
"""

from datetime import datetime
from typing import Final, Literal, TypeAlias

from cdp_pipelines.domain.contact_export.request import FileFormat
from cdp_pipelines.domain.object_keys import company_segment

KEY_PREFIX: Final = "private/exports/"
LINK_VALID_SECONDS: Final = 172_800
FILE_KEPT_DAYS: Final = 2
CONTENT_TYPES: Final[dict[FileFormat, str]] = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}

Outcome: TypeAlias = Literal["completed", "partial", "failed", "canceled"]
EmailVariant: TypeAlias = Literal["succeeded", "partially_succeeded", "failed"]
OPEN_STATUSES: Final = ("queued", "processing")
TERMINAL_STATUSES: Final = ("completed", "partial", "failed", "rejected", "canceled")


def export_folder(company_sso_id: str) -> str:
    """What the keys of all of a company's contact exports begin with, and those of no other company's."""
    return f"{KEY_PREFIX}{company_segment(company_sso_id)}/"


def object_key(company_sso_id: str, file_format: FileFormat, *, now: datetime, random_part: str) -> str:
    """`private/exports/{company_sso_id}/export_{UTC timestamp}_{random}.{ext}` (SPEC 3.4).

    The random part begins with the mark of the request; see `domain.object_keys`.
    """
    return f"{export_folder(company_sso_id)}export_{now:%Y%m%dT%H%M%SZ}_{random_part}.{file_format}"


def file_name(key: str) -> str:
    """The name a person sees in the email and when saving: the last part of the key."""
    return key.rsplit("/", 1)[-1]


def outcome_of(mode: str, *, written: int, failed: int) -> Outcome:
    """How an export that reached its end is counted.

    Ids of which none was found is a failure; a criterion that matches nothing is a success with a header only.
    """
    if failed == 0:
        return "completed"
    if written == 0 and mode == "contact_ids":
        return "failed"
    return "partial"


def variant_of(outcome: Outcome) -> EmailVariant:
    """The email that an outcome sends; a canceled export sends none and must not get here."""
    if outcome == "canceled":
        raise ValueError("a canceled export sends no email")
    return {"completed": "succeeded", "partial": "partially_succeeded", "failed": "failed"}[outcome]  # type: ignore[return-value]
