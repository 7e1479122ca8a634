"""One entity export of the demo: its `exports` document (SPEC 4) and the ending it must come to.

Belongs here: the shape. Not here: what the demo asks for (`demo_export_requests.py`).
"""

import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bson.objectid import ObjectId


@dataclass(frozen=True, slots=True)
class DemoTemplate:
    """A template that must be saved before the export that names it is queued."""

    name: str
    exported_object: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EntityExportSpec:
    """One entity export of the demo and the ending it must come to.

    `expected_code` is the code of an `ERROR`, None otherwise; `expected_rows` the rows of the file, None where there
    is no file. `repeats` is the `id` of an export that asks for the same and must have ended before this one is
    queued: then this one is served from what was kept, unless its data prove nothing (`is_served`).
    `template` is what the document's `template` names. With a
    `schedule`, nobody queues the document: a schedule of that name is to ask for the same, under an id that is its own.
    """

    title: str
    document: dict[str, Any]
    expected_status: str
    expected_code: str | None = None
    expected_rows: int | None = None
    repeats: str | None = None
    is_served: bool = True
    template: DemoTemplate | None = None
    schedule: str | None = None


def entity_export(
    company_sso_id: str, exported_object: str | None, parameters: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """A scheduled, well-formed `exports` document; `more` adds or replaces keys. No object: its template says which."""
    return {
        "_id": ObjectId(),
        "id": f"exp_{secrets.token_hex(12)}",
        "company_sso_id": company_sso_id,
        "exported_object": exported_object,
        "status": "SCHEDULED",
        "channel": "API",
        "parameters": dict(parameters),
        "progress": 0,
        "total": None,
        "result": None,
        "error": None,
        "created_at": None,
        "updated_at": None,
        "user_sso_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"user:{company_sso_id}")),
    } | more


def condition(field: str, **operators: Any) -> dict[str, Any]:
    """One field's entry of `parameters.filters`: `condition("status", is_=["PAID"])` asks `$is`."""
    return {field: {"conditions": {f"${name.rstrip('_')}": values for name, values in operators.items()}}}


def done(
    title: str,
    exported_object: str,
    rows: int,
    *,
    company: str,
    more: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> EntityExportSpec:
    """An export that succeeds with so many rows; `more` adds keys to the document beside its parameters."""
    document = entity_export(company, exported_object, parameters, **(more or {}))
    return EntityExportSpec(title, document, "DONE", expected_rows=rows)


def count_rows(documents: Iterable[dict[str, Any]], wanted: Callable[[dict[str, Any]], bool]) -> int:
    """How many of the documents are wanted; one that has nothing but its `_id` never is."""
    return sum(1 for document in documents if len(document) > 2 and wanted(document))


def metadata_value(document: Mapping[str, Any], key: str) -> Any:
    """The value of a key of the metadata, None if there is none or no metadata."""
    metadata = document.get("metadata")
    return metadata.get(key) if isinstance(metadata, dict) else None
