"""From contacts to a finished file in the run's temporary folder: stream, format, count."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from cdp_pipelines.domain.contact_export.fields import Column, choose_columns, projection
from cdp_pipelines.domain.contact_export.request import MAX_EXPORT_ROWS, ExportRequest
from cdp_pipelines.domain.contact_export.values import ContactRenderer, csv_renderer, sheet_columns, xlsx_renderer
from cdp_pipelines.domain.errors import PermanentFailure, TransientFailure
from cdp_pipelines.domain.failures import CONTACT_NOT_FOUND, LISTED_ON_JOB, ROW_UNREADABLE, RowFailure
from cdp_pipelines.domain.people_words import Words
from cdp_pipelines.formats.table_file import TableFile, open_table
from cdp_pipelines.pipelines.contact_export.services import ExportServices
from cdp_pipelines.pipelines.exports.heartbeat import Beat
from cdp_pipelines.stores.contacts import Batch, ContactReader

RENDER_ATTEMPTS: Final = 3
_UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(slots=True)
class Tally:
    """What became of the contacts: `total = written + failed`."""

    total: int = 0
    written: int = 0
    failed: int = 0
    listed: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, failure: RowFailure) -> None:
        """Count a failed row, and list it while the job document has room."""
        self.failed += 1
        if len(self.listed) < LISTED_ON_JOB:
            self.listed.append(failure.as_document())


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request comes to once the company's layout is known."""

    request: ExportRequest
    columns: tuple[Column, ...]
    layout_id: str
    warnings: tuple[str, ...]
    matched_count: int

    @property
    def truncated(self) -> bool:
        """Whether more contacts match than one file holds."""
        return self.matched_count > MAX_EXPORT_ROWS


def plan_export(services: ExportServices, request: ExportRequest) -> Plan:
    """Choose layout and columns and count what matches.

    Raises:
        PermanentFailure: `LAYOUT_NOT_FOUND` or `NO_USABLE_FIELD`.
    """
    company = request.company_sso_id
    layout_id = request.layout_id or services.companies.default_layout_id(company)
    if layout_id is None:
        raise PermanentFailure("LAYOUT_NOT_FOUND", "The request names no layout and the company has no default one.")
    if not services.companies.has_layout(company, layout_id):
        raise PermanentFailure("LAYOUT_NOT_FOUND", "The company has no layout with the id that the request names.")
    choice = choose_columns(services.companies.layout_fields(company, layout_id), request.selected_fields)
    if not choice.columns:
        raise PermanentFailure(
            "NO_USABLE_FIELD", "None of the fields asked for exists and is visible in this layout; nothing to export."
        )
    reader = ContactReader(services.database, company)
    warnings = [*([request.zone.warning] if request.zone.warning else []), *choice.warnings]
    warnings += _unknown_sources(reader, request)
    return Plan(request, choice.columns, layout_id, tuple(warnings), reader.count(request.selection))


def _unknown_sources(reader: ContactReader, request: ExportRequest) -> list[str]:
    """OQ-21: the vocabulary is what the company's contacts hold plus two; an unknown source matches nothing."""
    asked = set(request.selection.sources) - {"advertisement", "email"}
    unknown = len(asked - reader.known_sources(sorted(asked))) if asked else 0
    if not unknown:
        return []
    return [
        Words(
            f"{unknown} of the sources asked for {'is' if unknown == 1 else 'are'} on no customer and matched nothing.",
            f"{unknown} dari sumber yang diminta tidak dimiliki pelanggan mana pun, sehingga tidak ada yang cocok.",
        )
    ]


def render(services: ExportServices, plan: Plan, directory: Path, beat: Beat) -> tuple[Path, Tally, tuple[str, ...]]:
    """Write the file; returns its path, the tally, and the writer's warnings.

    An outage of MongoDB in the middle starts the file again, at most three times: a sorted read cannot be picked up
    where it broke, and nothing outside the temporary folder has happened yet.

    Raises:
        CancelRequested: within one batch of being asked.
        TransientFailure: MongoDB stayed away.
    """
    path = directory / f"export.{plan.request.file_format}"
    for attempt in Retrying(
        retry=retry_if_exception_type(TransientFailure),
        stop=stop_after_attempt(RENDER_ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=1, max=8, jitter=1),
        reraise=True,
    ):
        with attempt:
            return _render_once(services, plan, path, beat)
    raise AssertionError("unreachable: the last attempt raises")


def _render_once(services: ExportServices, plan: Plan, path: Path, beat: Beat) -> tuple[Path, Tally, tuple[str, ...]]:
    tally = Tally()
    file_format, zone = plan.request.file_format, plan.request.zone.zone
    renderer: ContactRenderer[Any] = (
        xlsx_renderer(plan.columns, zone) if file_format == "xlsx" else csv_renderer(plan.columns, zone)
    )
    reader = ContactReader(services.database, plan.request.company_sso_id)
    with open_table(path, file_format, sheet_columns(plan.columns, file_format)) as file:
        beat(total_records=min(plan.matched_count, MAX_EXPORT_ROWS))
        for batch in reader.batches(plan.request.selection, projection(plan.columns)):
            failures = _write_batch(file, renderer, batch, tally)
            services.records.add_failures(beat.job_id, beat.company_sso_id, failures, now=services.now())
            beat(success_count=tally.written, failed_count=tally.failed)
    return path, tally, file.warnings


def _write_batch(file: TableFile[Any], renderer: ContactRenderer[Any], batch: Batch, tally: Tally) -> list[RowFailure]:
    failures = [RowFailure(missing, CONTACT_NOT_FOUND, "the company has no such contact") for missing in batch.missing]
    try:
        columns = renderer.columns(batch.contacts)
    except _UNREADABLE:
        columns, unreadable = _one_by_one(renderer, batch)
        failures += unreadable
    written = len(columns[0]) if columns else 0
    if written:
        file.write_columns(columns)
    tally.total += len(batch.contacts) + len(batch.missing)
    tally.written += written
    for failure in failures:
        tally.fail(failure)
    return failures


def _one_by_one(renderer: ContactRenderer[Any], batch: Batch) -> tuple[list[list[Any]], list[RowFailure]]:
    """Values are anything that ever got into a contact; one that cannot be written must not stop the others."""
    rows: list[list[Any]] = []
    failures: list[RowFailure] = []
    for contact in batch.contacts:
        try:
            rows.append(renderer(contact))
        except _UNREADABLE as exc:
            failures.append(RowFailure(str(contact["_id"]), ROW_UNREADABLE, type(exc).__name__))
    return [list(column) for column in zip(*rows, strict=True)], failures
