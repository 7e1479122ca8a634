"""Reads the blocks of `docs/documents.md` that are to be pasted into `mongosh`, and does on a database what they say.

A small and strict reader: calls `db.collection.method(...)` with literals and the few expressions that the page uses,
as mongosh itself evaluates them. Anything else is an error, so that nothing gets onto the page that nobody has tried.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.database import Database

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "documents.md"
_BLOCK: Final = re.compile(r"^```js\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TOKEN: Final = re.compile(
    r"""\s+|//[^\n]*
    |(?P<text>"(?:[^"\\\n]|\\["\\/bfnrt])*")
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?)
    |(?P<name>\$?[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>[{}\[\]():,.+])""",
    re.VERBOSE,
)
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


class NotOfThePage(ValueError):
    """Something that the reader does not know; what and where."""


@dataclass(frozen=True)
class Call:
    """One statement: `db.{collection}.{method}(arguments)`."""

    collection: str
    method: str
    arguments: list[Any]


def blocks() -> list[str]:
    """The blocks of the page, from its top to its end."""
    return _BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def blocks_of(collection: str, method: str) -> list[str]:
    """The blocks in which this is called."""
    return [block for block in blocks() if f"db.{collection}.{method}(" in block]


def read_block(source: str) -> list[Call]:
    """The statements of a block.

    Raises:
        NotOfThePage: it holds something else.
    """
    return _Reader(source).statements()


def paste(database: Database[dict[str, Any]], source: str) -> list[Any]:
    """Do what a block says; gives what each of its statements did."""
    return [_METHODS[call.method](database[call.collection], *call.arguments) for call in read_block(source)]


def _find_one_and_update(collection: Any, query: Any, update: Any, options: Any) -> Any:
    if options.keys() != {"sort"}:
        raise NotOfThePage(f"options {sorted(options)}")
    return collection.find_one_and_update(
        query, update, sort=list(options["sort"].items()), return_document=ReturnDocument.AFTER
    )


_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "insertOne": lambda collection, document: collection.insert_one(document).inserted_id,
    "insertMany": lambda collection, documents: collection.insert_many(documents).inserted_ids,
    "findOne": lambda collection, query: collection.find_one(query),
    "find": lambda collection, query: list(collection.find(query)),
    "findOneAndUpdate": _find_one_and_update,
}


class _Reader:
    def __init__(self, source: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(source):
            found = _TOKEN.match(source, at)
            if found is None:
                raise NotOfThePage(source[at : at + 40])
            if found.lastgroup:
                self._tokens.append((found.lastgroup, found[0]))
            at = found.end()
        self._at = 0

    def statements(self) -> list[Call]:
        calls = []
        while self._at < len(self._tokens):
            self._expect("db", ".")
            collection = self._take("name")
            self._expect(".")
            method = self._take("name")
            if method not in _METHODS:
                raise NotOfThePage(f"db.{collection}.{method}")
            calls.append(Call(collection, method, self._list("(", ")")))
        return calls

    def _next(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, kind: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] != kind:
            raise NotOfThePage(f"{kind} before {self._next()!r}")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _expect(self, *tokens: str) -> None:
        for token in tokens:
            if self._next() != token:
                raise NotOfThePage(f"{self._next()!r} instead of {token!r}")
            self._at += 1

    def _list(self, opening: str, closing: str) -> list[Any]:
        self._expect(opening)
        items: list[Any] = []
        while self._next() != closing:
            items.append(self._value())
            if self._next() != closing:
                self._expect(",")
        self._expect(closing)
        return items

    def _value(self) -> Any:
        value = self._term()
        while self._next() == "+":
            self._expect("+")
            value = value + self._term()
        return value

    def _term(self) -> Any:
        if self._at >= len(self._tokens):
            raise NotOfThePage("the end")
        kind, token = self._tokens[self._at]
        if token == "{":
            return self._object()
        if token == "[":
            return self._list("[", "]")
        self._at += 1
        if kind == "text":
            return token[1:-1].replace('\\"', '"').replace("\\n", "\n")
        if kind == "number":
            return float(token) if "." in token else int(token)
        if kind == "name" and token in _WORDS:
            return _WORDS[token]
        return self._made(token)

    def _object(self) -> dict[str, Any]:
        self._expect("{")
        found: dict[str, Any] = {}
        while self._next() != "}":
            kind, token = self._tokens[self._at]
            self._at += 1
            if kind not in {"name", "text"}:
                raise NotOfThePage(f"{token!r} as a key")
            self._expect(":")
            found[token.strip('"')] = self._value()
            if self._next() != "}":
                self._expect(",")
        self._expect("}")
        return found

    def _made(self, name: str) -> Any:
        """What mongosh's own constructors make."""
        if name == "new":
            self._expect("Date")
            return self._date()
        if name == "Date":
            self._expect(".", "now", "(", ")")
            return _Milliseconds(0)
        if name == "ISODate":
            (text,) = self._list("(", ")")
            return datetime.fromisoformat(text)
        if name == "ObjectId":
            made = ObjectId(*self._list("(", ")"))
            if self._next() == ".":
                self._expect(".", "toString", "(", ")")
                return str(made)
            return made
        if name == "UUID":
            # UUID().toString() is not it: that gives the sixteen bytes as a text.
            self._expect("(", ")", ".", "toUUID", "(", ")", ".", "toHexString", "(", ")")
            return str(uuid.uuid4())
        raise NotOfThePage(name)

    def _date(self) -> datetime:
        now = datetime.now(UTC).replace(microsecond=0)
        since = self._list("(", ")")
        return now + timedelta(milliseconds=since[0].value) if since else now


@dataclass(frozen=True)
class _Milliseconds:
    """`Date.now()` and what is added to it, as a distance from now."""

    value: int

    def __add__(self, other: int) -> "_Milliseconds":
        return _Milliseconds(self.value + other)
