"""What an exportable object is made of: fields, where their values are stored, how rows are ordered and filtered.

Belongs here: the shapes of a description. Not here: the nine descriptions (`objects/`), reading rows
(`stores/entity_rows.py`) and writing values (`values.py`).

A *path* is a place in a stored document: `status`, or `address.city` where it is nested. A path that begins with `@`
reads what a join or an aggregate brought: `@customer.name`, `@orders.total_count`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

FieldKind: TypeAlias = Literal["text", "number", "boolean", "instant", "day", "json", "any"]
"""How values are compared and written; `any` is for metadata, whose values are of every kind."""

METADATA: Final = "metadata"
METADATA_PREFIX: Final = "metadata."


@dataclass(frozen=True, slots=True)
class Field:
    """A column that can be asked for.

    `paths`: further places of its value, after its own name at top level. Of a `computed` field they are the only ones.
    """

    name: str
    kind: FieldKind = "text"
    paths: tuple[str, ...] = ()
    computed: bool = False

    @property
    def places(self) -> tuple[str, ...]:
        """The paths to look at, in order; the first that is not null has the value."""
        return self.paths if self.computed else (self.name, *self.paths)

    @property
    def is_stored(self) -> bool:
        """Whether the document alone has the value, so that the database can compare it and sort by it."""
        return not any(path.startswith("@") for path in self.places)


@dataclass(frozen=True, slots=True)
class Join:
    """Values of another collection: the document whose `foreign` equals the first of the `local` paths that is set."""

    collection: str
    local: tuple[str, ...]
    foreign: str = "id"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of an aggregate over the documents that `where` (path -> value) lets through.

    `paths`: what is summed or averaged, the first that is not null. `latest` takes it from the newest document, by
    `at` and then `_id`; without `paths` it is the instant itself.
    """

    name: str
    do: Literal["count", "sum", "average", "latest"]
    paths: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    at: str = "created_at"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Figures over the documents of `collection` that name this row in `by`; rows without any have zeros."""

    collection: str
    by: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """A name that conditions may be set on.

    `related` makes it a condition on documents of another collection: the row matches if any document of the first
    does whose second (a path) equals the row's third (a path).
    """

    name: str
    kind: FieldKind = "text"
    paths: tuple[str, ...] = ()
    related: tuple[str, str, str] | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """The stored paths that are compared, the first that is not null."""
        return self.paths or (self.name,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One exportable object, entirely described; everything else about it follows from this."""

    name: str
    plural: str
    collection: str
    fields: tuple[Field, ...]
    default_fields: tuple[str, ...]
    order_keys: tuple[str, ...]
    """Names beyond the fields that rows may be ordered by."""
    filters: tuple[Filter, ...] = ()
    """Conditions may be set on every stored field; these are the names beyond, or those that mean something else."""
    filter_prefixes: tuple[str, ...] = ()
    """Prefixes of names that are paths of the stored document, such as `metadata.`."""
    joins: Mapping[str, Join] = field(default_factory=dict)
    aggregates: Mapping[str, Aggregate] = field(default_factory=dict)
    changed_at: str = "updated_at"
    """The instant that every change of a document moves; by it the result cache knows that nothing changed."""
    has_metadata: bool = True
    campaign_filter: bool = False
    """Whether `campaign_ids` narrows the rows."""

    def field_named(self, name: str) -> Field | None:
        """The field of this name; `metadata.{key}` is one where the object has metadata."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        if self.has_metadata and name.startswith(METADATA_PREFIX) and len(name) > len(METADATA_PREFIX):
            return Field(name, "any")
        return None

    @property
    def field_names(self) -> tuple[str, ...]:
        """What an answer to an unknown field lists."""
        names = tuple(candidate.name for candidate in self.fields)
        return (*names, f"{METADATA_PREFIX}{{key}}") if self.has_metadata else names
