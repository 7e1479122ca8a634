"""How a request of the demo ended, beside how it must end.

Belongs here: comparing. Not here: the requests (`local/demo_requests.py`), showing (`view.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.domain.contact_export.delivery import TERMINAL_STATUSES

if TYPE_CHECKING:
    from cdp_pipelines.local.demo_requests import ExportRequestSpec

_ENDINGS_WITH_MAIL: Final = ("completed", "partial", "failed")


@dataclass(slots=True)
class DemoOutcome:
    """One request: what was asked and expected, its document as last seen, the mails about it, the file fetched."""

    spec: "ExportRequestSpec"
    document: Mapping[str, Any]
    subjects: list[str] = field(default_factory=list)
    path: Path | None = None

    @property
    def status(self) -> str:
        """Its status now."""
        return str(self.document.get("status", "unknown"))

    @property
    def code(self) -> str | None:
        """The code of its refusal, else None."""
        error = self.document.get("error")
        return str(error.get("code")) if isinstance(error, Mapping) and self.status == "rejected" else None

    @property
    def rows(self) -> int:
        """Rows written."""
        return int(self.document.get("success_count") or 0)

    @property
    def result(self) -> Mapping[str, Any]:
        """The file's name, size and link; empty where there is none."""
        result = self.document.get("result")
        return result if isinstance(result, Mapping) else {}

    @property
    def ended(self) -> bool:
        """Whether it is terminal."""
        return self.status in TERMINAL_STATUSES

    def differences(self) -> list[str]:
        """What is not as it must be, in words; empty when all is."""
        spec = self.spec
        found = []
        if self.status != spec.expected_status:
            found.append(f"{self.status} instead of {spec.expected_status}")
        if self.code != spec.expected_code:
            found.append(f"code {self.code} instead of {spec.expected_code}")
        if spec.expected_rows is not None and self.rows != spec.expected_rows:
            found.append(f"{self.rows:,} rows instead of {spec.expected_rows:,}")
        mails = 1 if spec.expected_status in _ENDINGS_WITH_MAIL else 0
        if len(self.subjects) != mails:
            found.append(f"{len(self.subjects)} mails instead of {mails}")
        if self.result.get("key") and self.path is None:
            found.append("its file was not fetched")
        return found

    def facts(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "title": self.spec.title,
            "job_id": self.spec.document["job_id"],
            "expected_status": self.spec.expected_status,
            "status": self.status,
            "expected_code": self.spec.expected_code,
            "code": self.code,
            "rows": self.rows,
            "failed_rows": int(self.document.get("failed_count") or 0),
            "file_name": self.result.get("file_name"),
            "url": self.result.get("url"),
            "path": str(self.path) if self.path else None,
            "subjects": self.subjects,
            "differences": self.differences(),
        }
