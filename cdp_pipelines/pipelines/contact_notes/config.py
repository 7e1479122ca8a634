"""The names, limits and settings of the notes migration."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cdp_pipelines.domain.companies import FLAG_CONTACT_NOTES, Company
from cdp_pipelines.domain.contact_notes.transform import (
    ALREADY_PRESENT,
    DELETED_IN_CRM,
    OUT_OF_SCOPE_REASONS,
    TYPES_IN_SCOPE,
)
from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.domain.migrations import COMPLETED_SUCCESS
from cdp_pipelines.domain.outcomes import DEGRADED_OWNER, GONE_FROM_SOURCE
from cdp_pipelines.pipelines.migrations.kinds import Hanging, MigrationKind
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.pipelines.migrations.source import MigrationSource
from cdp_pipelines.resources.environment import optional_setting
from cdp_pipelines.stores.contact_notes import ContactNotes
from cdp_pipelines.stores.migration_jobs import JobKind

ASSET_NAME: Final = "contact_notes"
TYPES_SETTING: Final = "CDP_CRM_NOTE_TYPES"
ATTACHMENTS_FAILED: Final = "attachments_failed"

_SKIPPED: Final = (ALREADY_PRESENT, DELETED_IN_CRM, GONE_FROM_SOURCE)


def note_types() -> frozenset[int]:
    """The CRM's types of notes that are migrated.

    Raises:
        ConfigurationError: `SETTING_INVALID`.
    """
    text = optional_setting(TYPES_SETTING)
    if not text:
        return TYPES_IN_SCOPE
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ConfigurationError("SETTING_INVALID", f"{TYPES_SETTING} must be ids of note types, such as 1,6.")
    return frozenset(int(part) for part in parts)


def _source(services: MigrationServices, company: Company, request_id: object) -> MigrationSource:
    from cdp_pipelines.pipelines.contact_notes.pages import NoteSource

    return NoteSource(services, company, request_id)


def _delete_files(services: MigrationServices, company_sso_id: str, documents: Sequence[Mapping[str, Any]]) -> None:
    from cdp_pipelines.pipelines.contact_notes.files import delete_files

    delete_files(services, company_sso_id, documents)


def _sweep_files(services: MigrationServices, company_sso_id: str) -> None:
    from cdp_pipelines.pipelines.contact_notes.files import sweep_files

    sweep_files(services, company_sso_id)


CONTACT_NOTES: Final = MigrationKind(
    kind="contact_notes",
    title="notes migration",
    row="note",
    rows="notes",
    part="file",
    flag=FLAG_CONTACT_NOTES,
    asset=ASSET_NAME,
    jobs=JobKind(
        "contact_notes",
        "crm_notes_migration_jobs",
        "last_note_id",
        kept_days=7,
        # The names of SPEC 6 for what every migration counts.
        outward={
            "notes_total": ("records_total",),
            "notes_processed": ("records_processed",),
            "notes_migrated": ("records_migrated",),
            "notes_skipped": tuple(f"records_skipped.{reason}" for reason in _SKIPPED),
            "out_of_scope_count": tuple(f"records_skipped.{reason}" for reason in OUT_OF_SCOPE_REASONS),
            "failure_count": ("records_failed",),
        },
    ),
    documents=ContactNotes,
    source=_source,
    completed_status=COMPLETED_SUCCESS,
    completed_code="ALREADY_MIGRATED",
    halt_limit=0.01,
    failures_are_errors=False,
    validation_may_be_skipped=True,
    halted_event="crm_notes_migration_halted",
    completed_event="crm_notes_migration_completed",
    rows_a_shard=250_000,
    person="owner",
    degraded_reason=DEGRADED_OWNER,
    hanging=Hanging(("attachments", "legacy_crm_note_id"), _delete_files, _sweep_files),
    failed_parts_note=ATTACHMENTS_FAILED,
)
