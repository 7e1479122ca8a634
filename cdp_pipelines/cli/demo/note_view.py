"""One note of the demo, as it stood in the CRM and as it stands in the CDP."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.local.demo_companies import SMALL

if TYPE_CHECKING:
    from rich.table import Table

    from cdp_pipelines.pipelines.migrations.services import MigrationServices

_LONGEST: Final = 1_500


@dataclass(frozen=True, slots=True)
class ShownNote:
    """The CRM's HTML, and the document that it became."""

    company_name: str
    before: str
    document: dict[str, Any]

    def facts(self) -> dict[str, Any]:
        """What `--json` prints."""
        document = {name: value for name, value in self.document.items() if name != "_id"}
        return {"company_name": self.company_name, "before": self.before, "after": document}


def shown_note(services: "MigrationServices") -> ShownNote | None:
    """The migrated note of the small company that changed most on its way; None if it has none."""
    from contextlib import closing

    from cdp_pipelines.domain.companies import company_from_document
    from cdp_pipelines.stores.contact_notes import ContactNotes

    documents = dict(ContactNotes(services.database, SMALL.company_sso_id).migrated(after=0))
    if not documents:
        return None
    company = company_from_document(SMALL.document())
    with closing(services.crm_notes(company, request_id="demo")) as crm:
        found = crm.notes_by_id(sorted(documents))
    changed = {note.id: (note.content or "") for note in found if (note.content or "") != documents[note.id]["content"]}
    if not changed:
        return None
    chosen = max(changed, key=lambda note: (len(changed[note]) - len(documents[note]["content"]), note))
    return ShownNote(SMALL.name, changed[chosen], documents[chosen])


def note_table(note: ShownNote) -> "Table":
    """Both sides by what they hold."""
    from rich.table import Table

    document = note.document
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("in the CRM", note.before[:_LONGEST])
    table.add_row("in the CDP", document["content"][:_LONGEST])
    table.add_row("author", document["owner_id"] or document.get("legacy_owner_label", ""))
    for entry in document["attachments"]:
        table.add_row("file", f"{entry['type']}, {entry['file_size_in_byte']:,} bytes: {entry['url']}")
    return table


def print_note(note: ShownNote | None) -> None:
    """The note to standard output."""
    if note is None:
        return
    console = output.stdout()
    number = note.document["legacy_crm_note_id"]
    console.print(f"\nOne note of {note.company_name}, {number} in the CRM", style="bold")
    console.print(note_table(note), markup=False, highlight=False)
