"""`python -m benchmarks.migrate_notes`: contact notes without files from the CRM to the CDP, beside the raw copy.

See `migration_bench.py` for how it is measured; `attachments.py` measures the files.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from benchmarks.migration_bench import CID, PAGE_ROWS, Bench, Document, People, parser_of, run
from cdp_pipelines.pipelines.contact_notes.config import CONTACT_NOTES
from cdp_pipelines.resources.crm_notes import CrmNotesResource
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.stores.migrated_documents import MigratedDocuments


def load(dsn: str, people: People, rows: int) -> None:
    from cdp_pipelines.local.demo_crm import bulk_load_notes

    bulk_load_notes(dsn, organization_id=CID, people=people, notes=rows, seed=1, first_note_id=1)


def pages() -> Iterator[Sequence[Any]]:
    with closing(CrmNotesResource().open(CID, database=CrmPostgresResource())) as crm:
        last_id = crm.overview(None).last_id
        yield from crm.notes(after=0, to=last_id, cutoff=None, page_rows=PAGE_ROWS)


def raw(note: Any, documents: MigratedDocuments) -> Document:
    return {"legacy_crm_note_id": f"{documents.kind.prefix}{note.id}", **note._asdict()}


BENCH = Bench(module="benchmarks.migrate_notes", kind=CONTACT_NOTES, load=load, pages=pages, raw=raw)


def main() -> None:
    run(BENCH, parser_of(__doc__ or "", [100_000, 500_000]).parse_args())


if __name__ == "__main__":
    main()
