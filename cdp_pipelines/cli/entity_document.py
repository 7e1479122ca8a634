"""From the options of commands to the documents of entity exports (SPEC 4).

Belongs here: what was asked, in the shape that the queue has. Not here: whether it may run; that is the admission's to
say, the same for every way in.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cdp_pipelines.domain.entity_export.delivery import SCHEDULED

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedParameters:
    """What of which rows, and how it is written, as typed; empty texts and lists were not given."""

    file_format: str = ""
    compression: str = ""
    fields: Sequence[str] = ()
    order: str = ""
    filters: object = None
    campaign_ids: Sequence[str] = ()
    timezone: str = ""
    fresh: bool = False

    def document(self) -> Document:
        """`parameters` of a request, a template or a schedule: only what was given, so that a template's shows."""
        given: Document = {
            "format": self.file_format,
            "compression": self.compression,
            "fields": list(self.fields),
            "order": self.order,
            "campaign_ids": list(self.campaign_ids),
            "timezone": self.timezone,
        }
        parameters = {name: value for name, value in given.items() if value not in ("", [])}
        # An empty filter is one: over a template's, it takes all rows.
        if self.filters is not None:
            parameters["filters"] = self.filters
        return parameters | ({"fresh": True} if self.fresh else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedEntityExport:
    """What the person asked for; empty texts were not given."""

    company: str
    exported_object: str = ""
    parameters: AskedParameters = field(default_factory=AskedParameters)
    template: str = ""
    user: str = ""
    email: str = ""
    locale: str = ""
    webhook: str = field(default="", repr=False)


def scheduled_document(asked: AskedEntityExport, *, now: datetime) -> Document:
    """An `exports` document with `status: "SCHEDULED"` and a new `id`; what was not asked is left out."""
    optional: Document = {
        "exported_object": asked.exported_object,
        "template": asked.template,
        "user_sso_id": asked.user,
        "email": asked.email,
        "locale": asked.locale,
        "webhook": {"url": asked.webhook} if asked.webhook else None,
    }
    return {
        "id": f"exp_{secrets.token_hex(12)}",
        "company_sso_id": asked.company,
        "status": SCHEDULED,
        "channel": "API",
        "parameters": asked.parameters.document(),
        **{name: value for name, value in optional.items() if value},
        "progress": 0,
        "total": None,
        "result": None,
        "error": None,
        "created_at": now,
        "updated_at": now,
    }
