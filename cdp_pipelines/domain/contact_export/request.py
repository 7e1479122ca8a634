"""A contact export's request: from whatever stands in `bulk_upload_jobs` to a form that the rest can trust.

Belongs here: the shape of a request, reading it, and every message about a mistake in it. Not here: flags,
permissions and rates (`admission.py`), and choosing columns (`fields.py`, when the run has the layout).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from cdp_pipelines.domain.contact_export.filters import FilterField, FilterNode, FilterProblem, parse_filter
from cdp_pipelines.domain.contact_export.period import Period, parse_bound
from cdp_pipelines.domain.email_address import is_email_address
from cdp_pipelines.domain.timezones import ZoneChoice, resolve_timezone
from cdp_pipelines.domain.values.instants import read_instant

MAX_EXPORT_ROWS: Final = 10_000
SELECTION_MODES: Final = ("contact_ids", "first_10k_sorted", "filter")
FORMATS: Final = ("xlsx", "csv")
DEFAULT_ORDER_BY: Final = "created_at"

SelectionMode: TypeAlias = Literal["contact_ids", "first_10k_sorted", "filter"]
FileFormat: TypeAlias = Literal["xlsx", "csv"]

_CONTACT_ID: Final = re.compile(r"[0-9a-fA-F]{24}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONGEST_TEXT: Final = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Which contacts: the ids asked in their order, or a criterion (sort, filter, period, sources)."""

    mode: SelectionMode
    contact_ids: tuple[str, ...] = ()
    order_by: str = DEFAULT_ORDER_BY
    order_by_custom: bool = False
    descending: bool = True
    filter: FilterNode | None = None
    period: Period | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """A request that can be run as it stands."""

    job_id: str
    company_sso_id: str
    user_sso_id: str
    email: str
    selection: Selection
    layout_id: str | None
    selected_fields: tuple[str, ...]
    file_format: FileFormat
    zone: ZoneChoice
    locale: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the field of the request it is in, and what is wrong there."""

    field: str
    problem: str


class RequestReader:
    """Reads one request document and collects every mistake in it, so that a person mends them all at once."""

    def __init__(self, document: Mapping[str, Any], fields: Mapping[str, FilterField]) -> None:
        self.document = document
        self.fields = fields
        self.problems: list[Problem] = []
        self.zone = resolve_timezone(document.get("timezone"))

    def _problem(self, field: str, problem: str) -> None:
        self.problems.append(Problem(field, problem))

    def text(self, name: str, *, required: bool) -> str:
        """A short text; the empty string when it is absent and may be."""
        raw = self.document.get(name)
        if raw is None or raw == "":
            if required:
                self._problem(name, "is missing")
            return ""
        if not isinstance(raw, str) or len(raw) > _LONGEST_TEXT or any(ord(c) < 32 for c in raw):
            self._problem(name, f"must be a text of at most {_LONGEST_TEXT} characters on one line")
            return ""
        return raw

    def texts(self, name: str, *, most: int) -> tuple[str, ...]:
        """A list of short texts; empty when absent."""
        raw = self.document.get(name)
        if raw is None:
            return ()
        if not isinstance(raw, Sequence) or isinstance(raw, str | bytes):
            self._problem(name, "must be a list of texts")
            return ()
        if len(raw) > most:
            self._problem(name, f"must have at most {most} entries")
            return ()
        wrong = [i for i, value in enumerate(raw) if not isinstance(value, str) or len(value) > _LONGEST_TEXT]
        if wrong:
            self._problem(f"{name}[{wrong[0]}]", f"must be a text of at most {_LONGEST_TEXT} characters")
            return ()
        return tuple(raw)

    def job_id(self) -> str:
        """`job_id`, a uuid in lower case."""
        raw = self.text("job_id", required=True)
        if raw and not _UUID.fullmatch(raw):
            self._problem("job_id", "must be a uuid such as 3f0d2c1e-8a54-4c55-9d0e-6a9f0c9b7b11")
            return ""
        return raw

    def email(self) -> str:
        """The address the file goes to."""
        raw = self.document.get("email")
        address = raw.strip() if isinstance(raw, str) else raw
        if address is None or address == "":
            self._problem("email", "is missing")
        elif not isinstance(address, str) or not is_email_address(address):
            self._problem("email", "must be one e-mail address")
        else:
            return address
        return ""

    def contact_ids(self) -> tuple[str, ...]:
        """Distinct ids in the order asked, each 24 hex digits in lower case."""
        raw = self.document.get("contact_ids")
        if raw is None:
            return ()
        if not isinstance(raw, Sequence) or isinstance(raw, str | bytes):
            self._problem("contact_ids", "must be a list of contact ids")
            return ()
        ids = [str(value) if _is_object_id(value) else value for value in raw]
        wrong = [i for i, value in enumerate(ids) if not isinstance(value, str) or not _CONTACT_ID.fullmatch(value)]
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            self._problem(f"contact_ids[{wrong[0]}]", f"must be 24 hex digits{more}")
            return ()
        return tuple(dict.fromkeys(value.lower() for value in ids))

    def order(self) -> tuple[str, bool, bool]:
        """`(order_by, it is a custom field, descending)`."""
        raw_by, raw_direction = self.document.get("order_by"), self.document.get("order_direction")
        order_by, custom = DEFAULT_ORDER_BY, False
        if raw_by not in (None, ""):
            field = self.fields.get(raw_by) if isinstance(raw_by, str) else None
            if field is None:
                self._problem("order_by", "is not a field of this company")
            else:
                order_by, custom = field.name, field.custom
        if raw_direction in (None, ""):
            return order_by, custom, True
        direction = raw_direction.lower() if isinstance(raw_direction, str) else ""
        if direction not in {"asc", "desc"}:
            self._problem("order_direction", "must be asc or desc")
        return order_by, custom, direction != "asc"

    def filter(self) -> FilterNode | None:
        """The parsed filter; dates in it are read in the request's zone."""
        try:
            return parse_filter(
                self.document.get("filter"), self.fields, read_instant=lambda text: read_instant(text, self.zone.zone)
            )
        except FilterProblem as exc:
            where, _, problem = str(exc).partition(": ")
            self._problem(where, problem)
            return None

    def period(self) -> Period | None:
        """The range of `updated_at`, or None when it is open on both sides."""
        raw = self.document.get("period")
        if raw is None or raw == {}:
            return None
        if not isinstance(raw, Mapping) or not raw.keys() <= {"start_date", "end_date"}:
            self._problem("period", "must be {start_date, end_date}")
            return None
        bounds: dict[str, datetime | None] = {}
        for name in ("start_date", "end_date"):
            try:
                bounds[name] = parse_bound(raw.get(name), self.zone.zone, end=name == "end_date")
            except ValueError:
                self._problem(f"period.{name}", "must be an RFC 3339 instant (2024-05-01T00:00:00+07:00) or a date")
                return None
        start, end = bounds["start_date"], bounds["end_date"]
        if start is not None and end is not None and start > end:
            self._problem("period", "start_date must not be after end_date")
        return Period(start, end) if start or end else None


def _is_object_id(value: object) -> bool:
    """Whether it is a BSON ObjectId, known by its shape because no driver is imported here."""
    return type(value).__name__ == "ObjectId" and isinstance(getattr(value, "binary", None), bytes)
