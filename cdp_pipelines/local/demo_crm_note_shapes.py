"""How many notes of which kind the demo's CRM holds: one `NotesShape` a company.

Belongs here: numbers. Not here: how rows are made from them (`demo_crm_notes.py`, `demo_crm_note_files.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cdp_pipelines.local.demo_companies import BIG, FLAG_OFF, MEDIUM, NO_FEATURES, RHEINLAND, SMALL
from cdp_pipelines.local.demo_crm_shapes import CRM_SEED

Failing: TypeAlias = Literal["long", "stranger", "foreign", "infinity"]
"""Why a note cannot be migrated: too long, of a person without a contact or of another company, without a time."""
Trouble: TypeAlias = Literal["metadata", "foreign host", "missing", "html", "large", "moved private", "moved here"]
"""What is special about a file: see `demo_crm_note_files.py`. Only the last one is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesShape:
    """Shares are of all notes unless they say otherwise; what is left is an ordinary note in scope.

    notes_per_person: notes for each person, with or without a contact.
    failing: share of the notes up to `failing_until`, itself a share of all, that cannot be migrated.
    failing_at_least: so many of them however few notes there are.
    first_failing: why the first of them fail; `usual_failing`, again and again, why the others do.
    out_of_scope: of types that are not migrated, or of none.
    elsewhere: of a deal, a company or a ticket, and of no person.
    hostile: share of the texts that were written by an attacker; they are migrated, made harmless.
    attachments: files, fewer where there are few notes; `troubles` are the first of them, each after a good one.
    """

    notes_per_person: float = 0.8
    failing: float = 0.003
    failing_until: float = 1.0
    failing_at_least: int = 0
    first_failing: tuple[Failing, ...] = ()
    usual_failing: tuple[Failing, ...] = ("stranger",)
    out_of_scope: float = 0.08
    deleted: float = 0.025
    elsewhere: float = 0.04
    checkins: float = 0.01
    hostile: float = 0.01
    attachments: int = 0
    troubles: tuple[Trouble, ...] = ()
    seed: int = CRM_SEED


CLEAN_NOTES: Final = NotesShape(failing=0, out_of_scope=0, deleted=0, elsewhere=0, checkins=0, hostile=0)
"""All in scope, and all good."""

NOTES_SHAPES: Final[Mapping[str, NotesShape]] = {
    # Some fail, far fewer than the guard allows.
    BIG.slug: NotesShape(
        first_failing=("stranger", "stranger", "infinity", "long", "foreign", "stranger", "long"),
        attachments=120,
        troubles=("metadata", "foreign host", "missing", "html", "large", "moved private", "moved here"),
    ),
    # So many of the early ones fail that the guard halts the migration in its first batch.
    MEDIUM.slug: NotesShape(
        failing=0.04,
        failing_until=1 / 3,
        failing_at_least=2,
        usual_failing=("long", "stranger", "long"),
        attachments=20,
    ),
    RHEINLAND.slug: NotesShape(notes_per_person=0.2),
    FLAG_OFF.slug: NotesShape(notes_per_person=0.3),
    NO_FEATURES.slug: NotesShape(notes_per_person=0.3),
    # Small and clean, with everything in it that there is to look at.
    SMALL.slug: NotesShape(
        notes_per_person=1.4,
        failing=0,
        deleted=0.05,
        elsewhere=0,
        checkins=0.05,
        hostile=0.05,
        attachments=12,
        troubles=("missing",),
    ),
}
"""By the company's slug; a company that is not here has no notes."""
