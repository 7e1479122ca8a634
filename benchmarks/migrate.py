"""`python -m benchmarks.migrate`: activity logs from CRM audits to the CDP, beside the raw copy of the same rows.

See `migration_bench.py` for how it is measured.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.migration_bench import CID, PAGE_ROWS, Bench, Document, People, parser_of, run
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
from cdp_pipelines.pipelines.activity_logs.enrich import enrich
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.stores.migrated_documents import MigratedDocuments


def load(dsn: str, people: People, rows: int) -> None:
    from cdp_pipelines.local.demo_crm import bulk_load

    bulk_load(dsn, organization_id=CID, people=people, audits=rows, seed=1, first_audit_id=1)


def pages() -> Iterator[Sequence[Any]]:
    crm = CrmPostgresResource().open(CID)
    overview = crm.audit_overview(None)
    yield from crm.audits(
        after=0, to=overview.last_id, scope=overview.auditable_types, cutoff=None, page_rows=PAGE_ROWS
    )


def raw(audit: Any, documents: MigratedDocuments) -> Document:
    return {
        "external_id": f"{documents.kind.prefix}{audit.id}", "customer_id": str(audit.auditable_id),
        "timestamp": audit.created_at, **audit._asdict(),
    }  # fmt: skip


def further(hold: Hold, source: Any, job: Document) -> None:
    enrich(hold, source, job, tolerance_seconds=2.0)


BENCH = Bench(
    module="benchmarks.migrate", kind=ACTIVITY_LOGS, load=load, pages=pages, raw=raw, further=further,
    further_name="enrichment",
)  # fmt: skip


def main() -> None:
    parser = parser_of(__doc__ or "", [100_000, 1_000_000])
    parser.add_argument(
        "--no-enrichment", dest="no_further", action="store_true", help="leave out the second pass over associations"
    )
    run(BENCH, parser.parse_args())


if __name__ == "__main__":
    main()
