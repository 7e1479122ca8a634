"""`exports`: the queue of entity exports.

    SCHEDULED -> IN_PROGRESS -> DONE | ERROR | CANCELED       SCHEDULED -> ERROR | CANCELED

A refused request ends as ERROR, with the code of its refusal. Further fields that this project adds here:
`object_keys` (a large export has several files), `cache`.
"""

from typing import Any, Final

from pymongo.database import Database

from cdp_pipelines.stores.export_queue import ExportQueue, QueueShape

ENTITY_EXPORTS: Final = QueueShape(
    collection="exports",
    id_field="id",
    queued="SCHEDULED",
    working="IN_PROGRESS",
    terminal=("DONE", "ERROR", "CANCELED"),
    rejected="ERROR",
    failed="ERROR",
    canceled="CANCELED",
    files_field="object_keys",
    # `cache` goes with the file that it leads to.
    personal=("email", "webhook", "result", "parameters.filters", "object_keys", "cache"),
)


class EntityExports(ExportQueue):
    """The entity exports of all companies."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        super().__init__(database, ENTITY_EXPORTS)
