"""How an entity export of the demo ended, beside how it must end.

Belongs here: comparing. Not here: the requests (`local/demo_export_requests.py`), showing (`entity_view.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.domain.entity_export.delivery import DONE, ERROR, TERMINAL_STATUSES

if TYPE_CHECKING:
    from cdp_pipelines.local.api_records import ApiRequest
    from cdp_pipelines.local.demo_export_specs import EntityExportSpec

VERIFIED: Final = 204
"""What the local receiver of webhooks answers, and only to a signature that holds."""
_ENDINGS_WITH_MAIL: Final = (DONE, ERROR)
_NOTICES_TAKE: Final = timedelta(minutes=1)


@dataclass(slots=True)
class EntityOutcome:
    """One export: what was asked and expected, its document as last seen, and what came of it.

    `queued` is False while it waits for the export that it repeats; `paths` are the files that were fetched whole.
    """

    spec: "EntityExportSpec"
    document: Mapping[str, Any]
    queued: bool = True
    subjects: list[str] = field(default_factory=list)
    webhooks: "list[ApiRequest]" = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)

    @property
    def export_id(self) -> str:
        """The `id` of its document."""
        return str(self.spec.document["id"])

    @property
    def status(self) -> str:
        """Its status now."""
        return str(self.document.get("status", "unknown"))

    @property
    def code(self) -> str | None:
        """The code of its `ERROR`, else None."""
        error = self.document.get("error")
        return str(error.get("code")) if isinstance(error, Mapping) else None

    @property
    def ended(self) -> bool:
        """Whether it is terminal."""
        return self.status in TERMINAL_STATUSES

    def settled(self, now: datetime) -> bool:
        """Whether nothing more is to come: it ended, and its notices were sent, or had a minute for it."""
        ended = self.document.get("ended_at")
        late = isinstance(ended, datetime) and now - ended > _NOTICES_TAKE
        return self.ended and (late or self.document.get("notices_pending") is not True)

    @property
    def result(self) -> Mapping[str, Any]:
        """Link, counts and checksum of its file; empty where there is none."""
        result = self.document.get("result")
        return result if isinstance(result, Mapping) else {}

    @property
    def files(self) -> Sequence[Mapping[str, Any]]:
        """`{url, key, file_name, size_bytes, sha256}` of each file: the one there is, or a manifest and its parts."""
        return [self.result, *self.result.get("parts", [])] if self.result.get("key") else []

    @property
    def rows(self) -> int | None:
        """The rows of its file, or how many are written so far; None where nothing was begun."""
        count = self.result.get("record_count", self.document.get("progress") if self.document.get("total") else None)
        return None if count is None else int(count)

    @property
    def size_bytes(self) -> int | None:
        """Of all its files."""
        size = self.result.get("total_bytes", self.result.get("size_bytes"))
        return None if size is None else int(size)

    @property
    def seconds(self) -> float | None:
        """From its run's beginning to its end; None where no run was."""
        started, ended = self.document.get("started_at"), self.document.get("ended_at")
        if not isinstance(started, datetime) or not isinstance(ended, datetime):
            return None
        return (ended - started).total_seconds()

    @property
    def cached_from(self) -> str | None:
        """The id of the export whose files serve this one too."""
        found = self.document.get("cached_from")
        return None if found is None else str(found)

    @property
    def webhook_verified(self) -> bool:
        """Whether its notice arrived with a signature that holds."""
        return any(notice.status == VERIFIED for notice in self.webhooks)

    def differences(self) -> list[str]:
        """What is not as it must be, in words; empty when all is."""
        spec, found = self.spec, []
        if self.status != spec.expected_status:
            found.append(f"{self.status} instead of {spec.expected_status}")
        if self.code != spec.expected_code:
            found.append(f"code {self.code} instead of {spec.expected_code}")
        rows = self.result.get("record_count")
        if rows != spec.expected_rows:
            found.append(f"{_rows(rows)} instead of {_rows(spec.expected_rows)}")
        served = spec.repeats if spec.is_served else None
        if self.cached_from != served:
            found.append("made anew" if served else "served by an earlier export")
        if len(self.paths) != len(self.files):
            found.append(f"{len(self.paths)} of {len(self.files)} files were fetched whole")
        return found + self._untold()

    def _untold(self) -> list[str]:
        asked, found = self.spec.document, []
        mails = 1 if asked.get("email") and self.spec.expected_status in _ENDINGS_WITH_MAIL else 0
        if len(self.subjects) != mails:
            found.append(f"{len(self.subjects)} mails instead of {mails}")
        if asked.get("webhook") and not self.webhook_verified:
            found.append("no webhook with a signature that holds")
        if not asked.get("webhook") and self.webhooks:
            found.append("a webhook that nobody asked for")
        return found

    def facts(self) -> dict[str, Any]:
        """What `--json` prints."""
        parameters = self.document.get("exported_as") or self.document.get("parameters") or {}
        return {
            "title": self.spec.title,
            "id": self.export_id,
            "exported_object": self.document.get("exported_object"),
            "format": parameters.get("format"),
            "compression": parameters.get("compression"),
            "expected_status": self.spec.expected_status,
            "status": self.status,
            "expected_code": self.spec.expected_code,
            "code": self.code,
            "expected_rows": self.spec.expected_rows,
            "rows": self.result.get("record_count"),
            "size_bytes": self.size_bytes,
            "seconds": self.seconds,
            "cached_from": self.cached_from,
            "url": self.result.get("url"),
            "paths": [str(path) for path in self.paths],
            "subjects": self.subjects,
            "webhooks": [
                {
                    "at": each.at,
                    "path": each.path,
                    "id": each.headers.get("webhook-id"),
                    "verified": each.status == VERIFIED,
                }
                for each in self.webhooks
            ],
            "differences": self.differences(),
        }


def _rows(count: int | None) -> str:
    return "no file" if count is None else f"{count:,} rows"
