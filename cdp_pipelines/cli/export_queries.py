"""Listing exports for operators."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from pymongo.database import Database

Document = dict[str, Any]

_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listed:
    """A document of the list, and which kind it is of."""

    kind: Literal["contact", "entity"]
    document: Document


def recent_exports(
    database: "Database[Document]", *, company_sso_id: str, status: str, exported_object: str = "", limit: int
) -> list[Listed]:
    """Exports of both kinds, newest first, without what was selected; empty texts do not narrow.

    `status` is of either kind, in any case; `exported_object` is `contact`, or one that entity exports have.
    """
    from cdp_pipelines.stores.entity_exports import EntityExports
    from cdp_pipelines.stores.export_jobs import ExportJobs

    narrowed: Document = {"company_sso_id": company_sso_id} if company_sso_id else {}
    found: list[Listed] = []
    if exported_object in ("", "contact"):
        query = {**narrowed, **({"status": status.lower()} if status else {})}
        found += [Listed("contact", each) for each in ExportJobs(database).recent(query, limit=limit)]
    if exported_object != "contact":
        query = {**narrowed, **({"status": status.upper()} if status else {})}
        query |= {"exported_object": exported_object} if exported_object else {}
        found += [Listed("entity", each) for each in EntityExports(database).recent(query, limit=limit)]
    # Each came in this order; dates are all that can be compared across both.
    return sorted(found, key=_created, reverse=True)[:limit]


def _created(listed: Listed) -> datetime:
    created = listed.document.get("created_at")
    if not isinstance(created, datetime):
        return _BEFORE_ALL
    return created if created.tzinfo else created.replace(tzinfo=UTC)
