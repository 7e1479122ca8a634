"""What the machinery of exports must know of one kind of export: names, and how its requests are judged and ended.

Belongs here: the shape. Not here: any single kind (each pipeline's `kind.py` makes its own `ExportKind`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import dagster as dg

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.pipelines.exports.services import SharedServices

if TYPE_CHECKING:
    from cdp_pipelines.pipelines.exports.sweep import SweepReport

Document = dict[str, Any]
ServicesT = TypeVar("ServicesT", bound=SharedServices)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportKind(Generic[ServicesT]):
    """One kind of export.

    `name` is that of its Dagster job, of its run keys, and of the Dagster resource whose `services()` it works with.
    `title` is what people call it, `sensor` looks after its queue, `invalid_code` refuses what cannot be read.

    `judge` is the one way in; asked again about the same request, it answers the same. `reject` ends a queued request
    as refused and tells the events of it; False when it had moved on. `tell_of_refusal` tells the events of one that a
    run has ended so. `accepted` is called once for a request that is admitted, before its run begins. `cancel` and
    `fail` end an open request, notices included, and return how it ended, or None when somebody else had ended it; both
    may be called again. `repeat` is done with every sweep, for notices that an outage prevented.
    """

    name: str
    title: str
    sensor: str
    invalid_code: str
    judge: Callable[[ServicesT, Document], Admitted[Any] | Rejected]
    reject: Callable[[ServicesT, Document, Rejected], bool]
    tell_of_refusal: Callable[[ServicesT, Document, Rejected], None]
    accepted: Callable[[ServicesT, Any], None] | None = None
    cancel: Callable[[ServicesT, Document], str | None]
    fail: Callable[[ServicesT, Document, CdpError], str | None]
    run_config: Callable[[str], dg.RunConfig]
    repeat: "Callable[[ServicesT, SweepReport], None] | None" = None

    def run_key(self, request_id: str, attempt: int) -> str:
        """Dagster uses a run key once for ever, even if its run failed, so the attempt is part of it."""
        return f"{self.name}:{request_id}:attempt{attempt}"


def tell_of_acceptance(kind: ExportKind[ServicesT], services: ServicesT, document: Document, request: Any) -> None:
    """Tell of a request that is admitted, once, however often it is judged."""
    if kind.accepted is not None and services.jobs.intake.note_accepted(
        services.jobs.intake.ref(document), now=services.now()
    ):
        kind.accepted(services, request)
