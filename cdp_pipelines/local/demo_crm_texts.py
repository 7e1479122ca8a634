"""The `audited_changes` texts of the demo CRM: pools made once, filled with a number a row.

Belongs here: every shape that SPEC 5.2 names, readable or not. Not here: which audit gets it (`demo_crm_stories.py`).
Writing a text takes some fifty microseconds, too long for a million rows; a few hundred a shape, each with its own
number in it, look just as varied.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cdp_pipelines.local.demo_crm_values import Column, Values
from cdp_pipelines.local.demo_crm_yaml import Plain, Tagged, changes_text
from cdp_pipelines.local.demo_pools import LocalePool

_SLOT: Final = Plain("\0")
EMPTY_CHANGES: Final = "--- {}\n"


class Template(NamedTuple):
    """A text with a number missing between `head` and `tail`; `tail` None: `head` is the whole text."""

    head: str
    tail: str | None

    def filled(self, number: int) -> str:
        """The text."""
        return self.head if self.tail is None else f"{self.head}{number}{self.tail}"


Templates = tuple[Template, ...]


class TextMaker:
    """Makes pools of texts; the same locales and seed give the same pools."""

    def __init__(self, pools: Sequence[LocalePool], seed: str) -> None:
        self.values = Values(pools, random.Random(seed))  # noqa: S311 made-up records, not a secret

    def creates(self, columns: Mapping[str, Column], number: str, count: int, *, sparse: bool = False) -> Templates:
        """Every column with its value, some empty, and the slot in column `number`; destroys look the same."""
        return self._many(count, lambda: self._snapshot(columns, number, sparse=sparse))

    def updates(self, columns: Mapping[str, Column], number: str, count: int) -> Templates:
        """One to three columns as `[old, new]`, the slot being the new value of column `number`.

        One text in eight has the odd shapes of `_odd`; one in twenty is JSON, as a jsonb column holds it.
        """
        return self._many(count, lambda: self._update(columns, number))

    def moves(self, column: str, old: Sequence[int], new: Sequence[int], columns: Mapping[str, Column]) -> Templates:
        """Updates that take `column` from one of the old ids to one of the new, half with another column."""
        values = self.values
        changed: list[dict[str, Any]] = []
        for before in old:
            for after in new:
                if before != after:
                    changed.append({column: [before, after]})
                    other = values.pick([name for name in columns if name != column])
                    values.start_text()
                    changed.append({column: [before, after], other: [None, columns[other](values)]})
        return tuple(_template(changes_text(changes)) for changes in changed)

    def unreadable(self) -> Templates:
        """What no reader can read: tabs for indentation, a text cut off, a list or a word where columns belong."""
        name = self.values.name()
        texts = (
            f"---\nname:\n\t- {name}\n\t- b\n",
            f'---\nname:\n- "{name}\n',
            f"---\nname:\n- '{name}\n- b\n",
            "---\ncustom_fields: !ruby/hash:ActiveSupport::HashWithIndifferentAccess\n  seats: [1, 2\n",
            f"---\n- name\n- {name}\n",
            f"--- {name}\n",
            f'{{"name":["{name}","',
            "---\nname: &1 a\nalias: *7\n",
            "---\nname:\n- a\n  - b: c\n d: e\n",
        )
        return tuple(Template(text, None) for text in texts)

    def _many(self, count: int, make: Callable[[], str]) -> Templates:
        return tuple(_template(make()) for _ in range(count))

    def _snapshot(self, columns: Mapping[str, Column], number: str, *, sparse: bool) -> str:
        values = self.values
        values.start_text()
        empty = 0.6 if sparse else 0.15
        changes = {name: None if values.chance(empty) else make(values) for name, make in columns.items()}
        return changes_text({**changes, number: _SLOT})

    def _update(self, columns: Mapping[str, Column], number: str) -> str:
        values = self.values
        values.start_text()
        if values.chance(0.05):
            old, new = values.sentence(), values.sentence()
            # The slot as JSON would be escaped, so it goes in afterwards.
            body = json.dumps({"name": [old, new], "tags": [[], values.tags()]}, ensure_ascii=False)
            return f'{body[:-1]}, "{number}": [null, \0]}}'
        if values.chance(0.12):
            return self._odd(number)
        names = [values.pick(tuple(columns)) for _ in range(1 + int(values.rng.random() * 3))]
        changes: dict[str, Any] = {name: self._pair(columns[name]) for name in dict.fromkeys(names)}
        return changes_text({**changes, number: [values.small(), _SLOT]})

    def _pair(self, make: Column) -> list[Any]:
        old = None if self.values.chance(0.2) else make(self.values)
        return [old, make(self.values)]

    def _odd(self, number: str) -> str:
        """A shape that readers stumble over, written as Rails writes it, after the ordinary change."""
        values = self.values
        return changes_text({number: [None, _SLOT]}) + values.pick(odd_shapes(values))


def odd_shapes(values: Values) -> tuple[str, ...]:
    """Lines that follow other columns of a text, each of another kind."""
    name = values.name()
    return (
        # Old libyaml leaves a space behind the dash of nothing.
        "adoption_date:\n- \n- 2017-12-09\n",
        "legacy_on:\n- 0000-00-00\n- 2020-02-30\nlegacy_at:\n- 0000-00-00 00:00:00\n- 2020-13-45 10:00:00\n",
        "zip:\n- '01234'\n- '0777'\ncode:\n- 1e3\n- '08'\namount:\n- '1,000'\n- '1.5'\nv:\n- '1.10'\n- 1.5.2\n",
        "serial:\n- 10:20:30:40\n- 1_\n",
        'state:\n- :pending\n- :active\nlabel:\n- ":pending"\n- ":active"\n',
        "options:\n  :vip: true\n  :level: :gold\n",
        "enum_status:\n- active\n- 1\n",
        "big:\n- 9223372036854775807\n- -9223372036854775808\nhuge:\n- 1\n- 1180591620717411303424\n",
        "balance:\n- !ruby/object:BigDecimal 9:NaN\n- !ruby/object:BigDecimal 27:-0.105e-2\n",
        "validity:\n- !ruby/range\n  begin: 2020-01-01\n  end: 2020-12-31\n  excl: false\n-\n",
        "sign_in_ip:\n-\n- !ruby/object:IPAddr\n  mask_addr: 4294967295\n  family: 2\n  addr: 3405803783\n",
        "verbose:\n- !ruby/symbol blah\n- !str hai\nratio:\n- !float 5.1\n-\n",
        "legacy: !map:HashWithIndifferentAccess\n  a: 1\n  b: 2\n",
        "photo:\n-\n- !binary |-\n  /9j/4AAQSkZJRgABAQ==\n",
        "t:\n- |+\n  ends with newlines\n\n\n- |2-\n   leads\n   two\n",
        changes_text({"starts": [Tagged("&1", name), Plain("*1")]})[4:],
        changes_text({"remarks": [f"{name}\r\n", f'{name}: "ya"\r\n\tbaris dua']})[4:],
        changes_text({"bio": ["it: is " * 30, f"{name} #1"]})[4:],
        changes_text({"tags": [[], ["a", "b"]], "phones": [None, []], "lists": [[["a"]], [["a", "b"], []]]})[4:],
        changes_text({"password_digest": ["[REDACTED]", "[REDACTED]"], "api_token": ["[FILTERED]", None]})[4:],
        # Combined by max_audits: values of a create among pairs.
        changes_text({"first_name": ["A", name], "email": None, "status": 0, "visits": [1, 2], "zip": "9"})[4:],
    )


def _template(text: str) -> Template:
    head, slot, tail = text.partition("\0")
    return Template(head, tail) if slot else Template(text, None)
