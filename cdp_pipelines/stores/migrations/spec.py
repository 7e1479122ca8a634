"""What a migration is made of: indexes to create, and the way back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import IndexModel
from pymongo.database import Database

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Index:
    """One index: `up` creates it if it is missing, `down` drops it if it is there."""

    collection: str
    name: str
    keys: Sequence[tuple[str, int]]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered step; its indexes are created in order and dropped in reverse."""

    number: int
    name: str
    indexes: Sequence[Index]

    def up(self, database: Database[Document]) -> None:
        """Create the indexes. MongoDB takes an identical index as done, so a half-applied step can be repeated.

        One command a collection: each waits for locks and the journal, whatever it creates.
        """
        of_collection: dict[str, list[IndexModel]] = {}
        for index in self.indexes:
            model = IndexModel(list(index.keys), name=index.name, **index.options)
            of_collection.setdefault(index.collection, []).append(model)
        for collection, models in of_collection.items():
            database[collection].create_indexes(models)

    def down(self, database: Database[Document]) -> None:
        """Drop the indexes that are there; the collections and their documents stay."""
        for index in reversed(self.indexes):
            if index.name in database[index.collection].index_information():
                database[index.collection].drop_index(index.name)


def ttl(collection: str, *, only: Mapping[str, Any] | None = None) -> Index:
    """Documents go at the instant in their `expires_at`; with `only`, just those that match."""
    options: dict[str, Any] = {"expireAfterSeconds": 0}
    if only is not None:
        options["partialFilterExpression"] = dict(only)
    return Index(collection, "ttl_expires_at", [("expires_at", 1)], options)
