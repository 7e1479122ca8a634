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
    """A numbered step; its indexes are created in order and dropped in reverse.

    `replaced` are indexes of earlier steps that this one takes away, once its own are there; the way back makes them
    again, which fails where meanwhile there are documents that they forbid.
    """

    number: int
    name: str
    indexes: Sequence[Index]
    replaced: Sequence[Index] = ()

    def up(self, database: Database[Document]) -> None:
        """Create the indexes. MongoDB takes an identical index as done, so a half-applied step can be repeated.

        One command a collection: each waits for locks and the journal, whatever it creates.
        """
        _create(database, self.indexes)
        _drop(database, self.replaced)

    def down(self, database: Database[Document]) -> None:
        """Drop the indexes that are there; the collections and their documents stay."""
        _create(database, self.replaced)
        _drop(database, self.indexes)


def _create(database: Database[Document], indexes: Sequence[Index]) -> None:
    of_collection: dict[str, list[IndexModel]] = {}
    for index in indexes:
        model = IndexModel(list(index.keys), name=index.name, **index.options)
        of_collection.setdefault(index.collection, []).append(model)
    for collection, models in of_collection.items():
        database[collection].create_indexes(models)


def _drop(database: Database[Document], indexes: Sequence[Index]) -> None:
    for index in reversed(indexes):
        if index.name in database[index.collection].index_information():
            database[index.collection].drop_index(index.name)


def ttl(collection: str, *, only: Mapping[str, Any] | None = None) -> Index:
    """Documents go at the instant in their `expires_at`; with `only`, just those that match."""
    options: dict[str, Any] = {"expireAfterSeconds": 0}
    if only is not None:
        options["partialFilterExpression"] = dict(only)
    return Index(collection, "ttl_expires_at", [("expires_at", 1)], options)
