"""An entity export's request: from whatever stands in `exports` to a form that the rest can trust (SPEC 4).

Belongs here: the shape of a request, reading it, and every message about a mistake in it. Not here: companies and
switches (`admission.py`).
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.email_address import is_email_address
from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.delivery import COMPRESSIONS, FORMATS, FileFormat
from cdp_pipelines.domain.entity_export.entities import Entity, Field, Filter
from cdp_pipelines.domain.entity_export.filter_values import MAX_VALUES, Comparison
from cdp_pipelines.domain.entity_export.filters import Condition, FilterNode, FilterProblem, Group, parse_filters
from cdp_pipelines.domain.timezones import resolve_timezone
from cdp_pipelines.domain.values.instants import to_utc

CHANNELS: Final = ("API", "WEBSITE")
PARAMETERS: Final = (
    "format",
    "compression",
    "fields",
    "order",
    "filters",
    "campaign_ids",
    "campaign_id",
    "timezone",
    "fresh",
)
MAX_FIELDS: Final = 200
MAX_FIELD_NAME: Final = 200
DEFAULT_FORMAT: Final[FileFormat] = "CSV"
CACHE_VERSION: Final = 2
"""Raise it when the same request on the same data would give another file."""

_EXPORT_ID: Final = re.compile(r"exp_[0-9A-Za-z_-]{1,64}")
_LONGEST_TEXT: Final = 500


@dataclass(frozen=True, slots=True)
class Order:
    """Rows by this field, `_id` last."""

    by: Field
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityExportRequest:
    """A request that can be run as it stands."""

    export_id: str
    company_sso_id: str
    user_sso_id: str
    entity: Entity
    fields: tuple[Field, ...]
    file_format: FileFormat
    gzip: bool
    order: Order | None
    filters: FilterNode | None
    zone: ZoneInfo
    fresh: bool = False
    email: str = ""
    locale: str = ""
    webhook_url: str = field(default="", repr=False)

    @property
    def cache_key(self) -> str:
        """The same for requests that ask for the same file."""
        asked = (
            CACHE_VERSION,
            self.entity.name,
            tuple(each.name for each in self.fields),
            self.file_format,
            self.gzip,
            (self.order.by.name, self.order.descending) if self.order else None,
            self.filters,
            self.zone.key,
        )
        return hashlib.sha256(repr(asked).encode()).hexdigest()


class RequestProblem(ValueError):
    """The request cannot be run: the code of SPEC 4, a message for people, and what is allowed instead."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


WebhookProblem = Callable[[str], str | None]


def read_request(document: Mapping[str, Any], *, webhook_problem: WebhookProblem) -> EntityExportRequest:
    """The request in its safe form.

    Args:
        document: the `exports` document, its `parameters` already merged with a template's.
        webhook_problem: why a webhook's address cannot be used, None if it can.

    Raises:
        RequestProblem: the first mistake, in the order object, format, fields, order, filters, the rest.
    """
    entity = _entity(document.get("exported_object"))
    parameters = document.get("parameters")
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, Mapping):
        raise _invalid("parameters", "must be an object", allowed_parameters=list(PARAMETERS))
    file_format, gzip = _format(parameters)
    fields = _fields(entity, parameters.get("fields"))
    order = _order(entity, parameters.get("order"))
    zone = _zone(parameters.get("timezone"))
    filters = _filters(entity, parameters, _asked_at(document), zone)
    unknown = sorted(str(name) for name in parameters if name not in PARAMETERS)
    if unknown:
        raise _invalid("parameters", f"{unknown[0][:40]!r} is none", allowed_parameters=list(PARAMETERS))
    _check_channel(document.get("channel"))
    return EntityExportRequest(
        export_id=_export_id(document.get("id")),
        company_sso_id=_text(document, "company_sso_id", required=True),
        user_sso_id=_text(document, "user_sso_id"),
        entity=entity,
        fields=fields,
        file_format=file_format,
        gzip=gzip,
        order=order,
        filters=filters,
        zone=zone,
        fresh=_flag(parameters.get("fresh"), "parameters.fresh"),
        email=_email(document),
        locale=_text(document, "locale"),
        webhook_url=_webhook(document.get("webhook"), webhook_problem),
    )


def _entity(raw: object) -> Entity:
    entity = ENTITIES.get(raw) if isinstance(raw, str) else None
    if entity is None:
        raise RequestProblem(
            "invalid_export_object",
            f"There is no object {_shown(raw)} to export. Choose one of: {', '.join(ENTITIES)}.",
            allowed_objects=list(ENTITIES),
        )
    return entity


def _format(parameters: Mapping[str, Any]) -> tuple[FileFormat, bool]:
    raw, packed = parameters.get("format"), parameters.get("compression")
    allowed = {"allowed_formats": list(FORMATS), "allowed_compressions": list(COMPRESSIONS)}
    name = DEFAULT_FORMAT if raw in (None, "") else raw.upper() if isinstance(raw, str) else None
    if name not in FORMATS:
        raise RequestProblem(
            "invalid_export_format", f"There is no format {_shown(raw)}. Choose {_either(FORMATS)}.", **allowed
        )
    gzip = packed not in (None, "", "none")
    if gzip and not (isinstance(packed, str) and packed.casefold() in COMPRESSIONS):
        raise RequestProblem(
            "invalid_export_format", f"There is no compression {_shown(packed)}. Choose gzip, or none.", **allowed
        )
    if gzip and name == "XLSX":
        raise RequestProblem(
            "invalid_export_format", "An XLSX file is compressed already; leave `compression` out.", **allowed
        )
    return name, gzip


def _fields(entity: Entity, raw: object) -> tuple[Field, ...]:
    if raw is None or raw == []:
        raw = list(entity.default_fields)
    allowed = {"allowed_fields": list(entity.field_names)}
    if not isinstance(raw, list | tuple) or not all(isinstance(name, str) for name in raw):
        raise RequestProblem("invalid_export_fields", "`fields` must be a list of names.", **allowed)
    names = list(dict.fromkeys(raw))
    if len(names) > MAX_FIELDS or any(len(name) > MAX_FIELD_NAME or not name.isprintable() for name in names):
        raise RequestProblem(
            "invalid_export_fields",
            f"At most {MAX_FIELDS} fields, each a name of at most {MAX_FIELD_NAME} printable characters.",
            **allowed,
        )
    found = [entity.field_named(name) for name in names]
    unknown = [name for name, known in zip(names, found, strict=True) if known is None]
    if unknown:
        raise RequestProblem(
            "invalid_export_fields",
            f"{entity.name} has no field {_shown(unknown[0])}. Its fields are: {', '.join(entity.field_names)}.",
            unknown_fields=unknown[:20],
            **allowed,
        )
    return tuple(known for known in found if known is not None)


def order_names(entity: Entity) -> tuple[str, ...]:
    """What rows may be ordered by."""
    stored = tuple(each.name for each in entity.fields if each.is_stored and each.kind != "json")
    return (*stored, *(name for name in entity.order_keys if name not in stored))


def _order(entity: Entity, raw: object) -> Order | None:
    if raw in (None, ""):
        return None
    allowed = list(order_names(entity))
    name = raw.removeprefix("-") if isinstance(raw, str) else None
    if name not in allowed:
        raise RequestProblem(
            "invalid_export_order",
            f"{entity.name} cannot be ordered by {_shown(raw)}. Use one of these, with `-` before it for descending: "
            f"{', '.join(allowed)}.",
            allowed_order=[sign + key for key in allowed for sign in ("", "-")],
        )
    return Order(entity.ordered_by(name), descending=str(raw).startswith("-"))


def _filters(entity: Entity, parameters: Mapping[str, Any], now: datetime, zone: ZoneInfo) -> FilterNode | None:
    try:
        parsed = parse_filters(parameters.get("filters"), entity, now=now, zone=zone)
        campaigns = _campaigns(entity, parameters)
    except FilterProblem as exc:
        raise RequestProblem(
            "invalid_export_filters", f"The filters cannot be used: {exc}.", where=exc.where, **exc.allowed
        ) from exc
    nodes = [node for node in (parsed, campaigns) if node is not None]
    return Group("and", tuple(nodes)) if len(nodes) > 1 else nodes[0] if nodes else None


def _campaigns(entity: Entity, parameters: Mapping[str, Any]) -> FilterNode | None:
    """`campaign_ids` (the seed's) and `campaign_id` (the public contract's) beside the filters, for vouchers."""
    many, one = parameters.get("campaign_ids"), parameters.get("campaign_id")
    if many in (None, []) and one in (None, ""):
        return None
    if not entity.campaign_filter:
        raise FilterProblem("campaign_ids", f"{entity.name} is not narrowed by campaigns here; use `filters`")
    asked = [*(many if isinstance(many, list | tuple) else [many] if many is not None else [])]
    asked += [one] if one not in (None, "") else []
    if len(asked) > MAX_VALUES or not all(
        isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT for value in asked
    ):
        raise FilterProblem("campaign_ids", f"must be a list of at most {MAX_VALUES:,} campaign ids")
    field = next((each for each in entity.fields if each.name == "campaign_id"), Field("campaign_id"))
    return Condition(Filter.of("campaign_ids", field), tuple(Comparison("eq", value) for value in asked))


def _zone(raw: object) -> ZoneInfo:
    if raw in (None, ""):
        return ZoneInfo("UTC")
    choice = resolve_timezone(raw)
    if choice.warning is not None:
        raise _invalid("parameters.timezone", "must be an IANA id such as Asia/Jakarta")
    return choice.zone


def _asked_at(document: Mapping[str, Any]) -> datetime:
    """What relative filters count from: the same instant when the request is judged and when it runs."""
    at = document.get("created_at")
    if not isinstance(at, datetime):
        raise _invalid("created_at", "must be a date")
    return to_utc(at)


def is_export_id(raw: object) -> bool:
    """Whether this can be an export's id."""
    return isinstance(raw, str) and _EXPORT_ID.fullmatch(raw) is not None


def _export_id(raw: object) -> str:
    if not isinstance(raw, str) or not is_export_id(raw):
        raise _invalid("id", "must be `exp_` and up to 64 letters, digits, - and _")
    return raw


def _email(document: Mapping[str, Any]) -> str:
    raw = document.get("email")
    email = raw.strip() if isinstance(raw, str) else raw
    if email is None or email == "":
        return ""
    if not isinstance(email, str) or not is_email_address(email):
        raise _invalid("email", "must be one e-mail address")
    return email


def _webhook(raw: object, problem_of: WebhookProblem) -> str:
    if raw in (None, "", {}):
        return ""
    url = raw.get("url") if isinstance(raw, Mapping) else raw
    if not isinstance(url, str):
        raise _invalid("webhook", 'must be {"url": "https://..."}')
    problem = problem_of(url)
    if problem is not None:
        raise RequestProblem("invalid_export_parameters", f"The webhook cannot be used. {problem}", where="webhook.url")
    return url


def _check_channel(raw: object) -> None:
    """Nothing depends on the channel; one that does not exist is a mistake all the same."""
    if raw not in (None, "", *CHANNELS):
        raise _invalid("channel", f"must be {_either(CHANNELS)}")


def _flag(raw: object, where: str) -> bool:
    if raw not in (None, True, False):
        raise _invalid(where, "must be true or false")
    return raw is True


def _text(document: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    raw = document.get(name)
    if raw in (None, "") and not required:
        return ""
    if not isinstance(raw, str) or not raw or len(raw) > _LONGEST_TEXT or any(ord(c) < 32 for c in raw):
        raise _invalid(name, f"must be a text of at most {_LONGEST_TEXT} characters on one line")
    return raw


def _invalid(where: str, problem: str, **details: Any) -> RequestProblem:
    return RequestProblem("invalid_export_parameters", f"{where} {problem}.", where=where, **details)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else type(value).__name__
    return repr(text if len(text) <= 60 else text[:60] + "...")


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
