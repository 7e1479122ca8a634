"""Any YAML text to plain values, from libyaml's events: the full path, for what `yaml_fast.py` does not know.

Belongs here: structure, anchors, bounds. PyYAML's own composing is not used: it forgets whether a scalar was quoted,
refuses lists as keys, and fails on days that no calendar has.
"""

import re
from typing import Any, Final, cast

import yaml

from cdp_pipelines.domain.activity_logs.yaml_limits import Budget, Refused, Tally, check_depth
from cdp_pipelines.domain.activity_logs.yaml_objects import (
    BINARY,
    MEMBERS,
    SET_OBJECTS,
    SETS,
    list_value,
    mapping_value,
    scalar_value,
    tag_name,
    unique_members,
)
from cdp_pipelines.domain.activity_logs.yaml_scalars import binary_text, key_text, resolve_plain, without_surrogates

FULL_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""libyaml's parser, or PyYAML's own where the extension is not built."""

_OPEN: Final = object()
_MERGE: Final = "<<"
_TEXT_TAG: Final = "tag:yaml.org,2002:str"
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_events(text: str, loader_class: Any = FULL_LOADER, tally: Tally | None = None) -> Any:
    """The only document of the text as plain values; what is worth counting is added to `tally`.

    Raises:
        Refused: it is not YAML, there is not exactly one document, or it is beyond the bounds.
    """
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        raise Refused("a character that YAML forbids", text.count("\n", 0, forbidden.start()) + 1)
    loader = loader_class(text)
    try:
        return _Reader(loader, tally or Tally()).document()
    finally:
        loader.dispose()


class _Reader:
    """Takes one event after another; the value of an anchor is kept with what it weighs."""

    __slots__ = ("_anchors", "_budget", "_constant_problems", "_take", "_tally")

    def __init__(self, loader: Any, tally: Tally) -> None:
        self._take = loader.get_event
        self._tally = tally
        self._budget = Budget()
        self._anchors: dict[str, tuple[Any, int]] = {}
        # PyYAML's own parser quotes the text in its messages, libyaml does not.
        self._constant_problems = loader.__class__ is not yaml.BaseLoader

    def document(self) -> Any:
        """The value of the one document."""
        self._next()
        if type(self._next()) is not yaml.DocumentStartEvent:
            raise Refused("empty")
        value = self._node(self._next(), 0)
        self._next()
        after = self._next()
        if type(after) is not yaml.StreamEndEvent:
            raise Refused("more than one document", _line(after))
        return value

    def _next(self) -> Any:
        try:
            return self._take()
        except yaml.MarkedYAMLError as exc:
            problem = f"not valid YAML ({exc.problem})" if self._constant_problems and exc.problem else "not valid YAML"
            mark = exc.problem_mark or exc.context_mark
            raise Refused(problem, mark.line + 1 if mark else None) from None
        except (yaml.YAMLError, ValueError, OverflowError):
            # Not only YAMLError: bytes of a tag that are no text, the number of a character that is none.
            raise Refused("not valid YAML") from None

    def _node(self, event: Any, depth: int, *, members: bool = False) -> Any:
        """The value that begins with this event; of a mapping whose keys are `members`, the list of them."""
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self._alias(event)
        before = self._budget.spent
        anchor = event.anchor
        if anchor is not None:
            self._anchors[anchor] = (_OPEN, 0)
        if kind is yaml.ScalarEvent:
            self._budget.spend(1, len(event.value))
            value = self._scalar(event)
        else:
            self._budget.spend(1)
            check_depth(depth + 1)
            if kind is yaml.SequenceStartEvent:
                value = self._list(event, depth)
            elif members or (event.tag is not None and tag_name(event.tag) in SETS):
                value = self._set(event, depth)
            else:
                value = self._mapping(event, depth)
        if anchor is not None:
            self._anchors[anchor] = (value, self._budget.spent - before)
        return value

    def _alias(self, event: Any) -> Any:
        value, weight = self._anchors.get(event.anchor, (None, 0))
        if not weight:
            reason = "an alias of what it is part of" if value is _OPEN else "an alias of nothing"
            raise Refused(reason, _line(event))
        self._budget.spend(weight)
        return value

    def _list(self, start: Any, depth: int) -> Any:
        items = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            items.append(self._node(event, depth + 1))
        return items if start.tag is None else list_value(tag_name(start.tag), items)

    def _mapping(self, start: Any, depth: int) -> Any:
        name = None if start.tag is None else tag_name(start.tag)
        fields: dict[str, Any] = {}
        while type(event := self._next()) is not yaml.MappingEndEvent:
            key = key_text(self._node(event, depth + 1))
            held = self._next()
            value = self._node(held, depth + 1, members=key == MEMBERS and name in SET_OBJECTS)
            merged = _merged(event, held, value) if key == _MERGE else None
            if merged is None:
                fields[key] = value
            else:
                fields.update(merged)
        return fields if name is None else mapping_value(name, fields)

    def _set(self, start: Any, depth: int) -> Any:
        """The keys of a mapping, with their own types; what they stand beside says nothing."""
        members = []
        value: Any = None
        while type(event := self._next()) is not yaml.MappingEndEvent:
            members.append(self._node(event, depth + 1))
            value = self._node(self._next(), depth + 1, members=members == [MEMBERS] and start.tag is not None)
        if members == [MEMBERS] and isinstance(value, list):
            # `!ruby/set` in the shape of an object.
            return value
        return unique_members(members)

    def _scalar(self, event: Any) -> Any:
        # `! 'text'`, as Ruby 1.9 wrote it, is implicit too: Psych reads its content as if it stood without quotes.
        plain, quoted = event.implicit
        text = cast(str, event.value)
        if plain:
            value: Any = resolve_plain(text)
        elif quoted:
            value = text
        elif (name := tag_name(event.tag)) == BINARY:
            value, is_latin1 = binary_text(text)
            self._tally.latin1 += is_latin1
        else:
            value = scalar_value(name, text, quoted=event.style is not None and event.style != "")
        return without_surrogates(value) if type(value) is str else value


def _merged(key: Any, held: Any, value: Any) -> dict[str, Any] | None:
    """What a merge key brings, as in Psych: it replaces what stands before it, and of several mappings the first wins.

    None where it is an attribute of that name.
    """
    if getattr(key, "tag", None) == _TEXT_TAG:
        return None
    if type(held) is not yaml.SequenceStartEvent:
        return value if isinstance(value, dict) else None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return None
    found: dict[str, Any] = {}
    for item in value:
        for name, field in item.items():
            found.setdefault(name, field)
    return found


def _line(event: Any) -> int:
    return cast(int, event.start_mark.line) + 1
