"""What an exportable object is made of: fields, where their values are stored, how rows are ordered and filtered.

Belongs here: the shapes of a description. Not here: the nine descriptions (`objects/`), reading rows
(`stores/entity_rows.py`) and writing values (`values.py`).

A *path* is a place in a stored document: `status`, or `address.city` where it is nested. A path that begins with `@`
reads what a join or an aggregate brought: `@customer.name`, `@orders.total_count`.

The fields of a description are the one table of where a name's value lies. Filters that mean a field by another name,
joins and aggregates of other objects take its places from there, so that all of them find what the cell shows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Self, TypeAlias

FieldKind: TypeAlias = Literal["text", "number", "boolean", "instant", "day", "json", "any"]
"""How values are compared and written; `any` is for metadata, whose values are of every kind."""

METADATA: Final = "metadata"
METADATA_PREFIX: Final = "metadata."
BROUGHT: Final = "@"
"""Where a row carries what joins and aggregates brought: `{"@": {"customer": {...}}}`. Paths call it `@customer`."""

Keys: TypeAlias = tuple[str, ...]
"""A path taken apart: the keys from the document down to the value."""


def ways(paths: Iterable[str]) -> tuple[Keys, ...]:
    """The keys to go down by, in the order in which they are tried; the first that leads to a value has it.

    A key of metadata may hold points itself, so such a path is first meant as one key and then as nested ones.
    """
    found: dict[Keys, None] = {}
    for path in paths:
        if path.startswith(BROUGHT):
            found[(BROUGHT, *path[1:].split("."))] = None
            continue
        if path.startswith(METADATA_PREFIX):
            found[(METADATA, path.removeprefix(METADATA_PREFIX))] = None
        found[tuple(path.split("."))] = None
    return tuple(found)


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
    """Values of another collection: the document whose `foreign` equals the first of the `local` paths that is set.

    `local` is the `places` of the field that shows the key.
    """

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
    """Figures over the documents of `collection` that name this row in `by`; rows without any have zeros.

    `by` is where those documents name it, the first place that is not null: the `places` of their own field.
    """

    collection: str
    by: tuple[str, ...]
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Related:
    """Documents of another collection that name this row: the first of their `foreign` places that is not null equals
    the row's `local`."""

    collection: str
    foreign: tuple[str, ...]
    local: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A name that conditions may be set on.

    `related` makes it a condition on documents of another collection: the row matches if any of those does.
    """

    name: str
    kind: FieldKind = "text"
    paths: tuple[str, ...] = ()
    related: Related | None = None

    @classmethod
    def of(cls, name: str, meant: Field, *, related: Related | None = None) -> Self:
        """Another name for a field: its kind and its places."""
        return cls(name, "any" if meant.kind == "json" else meant.kind, meant.places, related)

    @property
    def places(self) -> tuple[str, ...]:
        """The paths that are compared, the first that is not null."""
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

    def ordered_by(self, name: str) -> Field:
        """What rows are ordered by under a name that `order_keys` or the fields have."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        meant = next((each for each in self.filters if each.name == name), Filter(name))
        return Field(name, meant.kind, meant.places, computed=True)

    @property
    def field_names(self) -> tuple[str, ...]:
        """What an answer to an unknown field lists."""
        names = tuple(candidate.name for candidate in self.fields)
        return (*names, f"{METADATA_PREFIX}{{key}}") if self.has_metadata else names
