"""`python -m benchmarks.audited_yaml`: texts of `audited_changes` read a second, beside PyYAML over libyaml.

The mix holds the shapes that Rails writes all the time, with other values in every text, so that nothing can be
remembered. `yaml.load(CSafeLoader)` gets constructors for Ruby's tags, without which it would refuse them; that it
gives the same values for this mix, but for the types of days and times, is checked before anything is timed. Rates are
the best of `--repeat` rounds, taken in turn.
"""

import argparse
import random
import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import yaml

from cdp_pipelines.domain.activity_logs.audited_yaml import read_audited_changes, read_full
from cdp_pipelines.domain.activity_logs.yaml_fast import read_fast
from cdp_pipelines.domain.activity_logs.yaml_shapes import Uncommon

Read = Callable[[str], Any]

# Share of the mix in percent, and the text.
SHAPES: dict[str, tuple[int, str]] = {
    "update, one number": (20, "---\ncrm_stage_id:\n- {n}\n- {m}\n"),
    "update, three columns": (
        25,
        "---\nname:\n- Deal {n}\n- Deal {m} renewed\ncrm_stage_id:\n- {n}\n- {m}\nclosed_on:\n-\n- 2023-04-{d}\n",
    ),
    "join model": (15, "---\ncrm_person_id: {n}\ncrm_deal_id: {m}\n"),
    "create, twelve columns": (
        20,
        "---\nname: Budi Santoso {n}\nemail: budi{n}@example.com\nphone: '+62812{n}'\norganization_id: {m}\n"
        'crm_owner_id: {n}\nsubscribed: true\nscore: {d}.5\nnotes:\naddress: "Jl. Sudirman no. {n}, Jakarta"\n'
        "birthday: 1980-02-{d}\ntags: []\ncustom_fields: {{}}\n",
    ),
    "time with zone and decimal": (
        10,
        "---\namount:\n- !ruby/object:BigDecimal 18:0.{n}5e4\n- !ruby/object:BigDecimal 18:0.{m}5e6\n"
        "due_at:\n-\n- !ruby/object:ActiveSupport::TimeWithZone\n  utc: 2023-04-{d} 05:41:52.142873000 Z\n"
        "  zone: !ruby/object:ActiveSupport::TimeZone\n    name: Asia/Jakarta\n"
        "  time: 2023-04-{d} 12:41:52.142873000 Z\n",
    ),
    "folded and literal text": (
        5,
        "---\ndescription: The customer number {n} called and asked about the offer of last week, which\n"
        "  was for {m} seats and runs until the end of the month, as far as I remember it.\n"
        "notes: |-\n  line {n}\n  line {m}\n",
    ),
    "symbols and lists": (5, "---\noptions:\n  :plan: :gold\n  seats: {n}\ntags:\n- - vip\n- - vip\n  - 'no: {m}'\n"),
}


class TaggedLoader(yaml.CSafeLoader):
    """CSafeLoader that reads what the mix holds."""


def _decimal(_: Any, node: Any) -> str:
    return format(Decimal(node.value.partition(":")[2]), "f")


def _zoned(loader: Any, node: Any) -> Any:
    return loader.construct_mapping(node, deep=True)["utc"]


def _fields(loader: Any, node: Any) -> Any:
    return loader.construct_mapping(node)


def _symbol(_: Any, node: Any) -> str:
    return str(node.value[1:])


TaggedLoader.add_constructor("!ruby/object:BigDecimal", _decimal)
TaggedLoader.add_constructor("!ruby/object:ActiveSupport::TimeWithZone", _zoned)
TaggedLoader.add_constructor("!ruby/object:ActiveSupport::TimeZone", _fields)
TaggedLoader.add_constructor("!symbol", _symbol)
TaggedLoader.add_implicit_resolver("!symbol", re.compile(r"^:[a-z]+$"), [":"])


def peer(text: str) -> Any:
    return yaml.load(text, Loader=TaggedLoader)


def filled(shapes: list[str], count: int) -> list[str]:
    rng = random.Random(4)
    return [
        rng.choice(shapes).format(n=rng.randrange(1, 10**5), m=rng.randrange(1, 10**5), d=rng.randrange(10, 29))
        for _ in range(count)
    ]


def mixed(count: int) -> list[str]:
    return filled([shape for share, shape in SHAPES.values() for _ in range(share)], count)


def comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    return value.isoformat() if isinstance(value, date) else value


def check_same(texts: list[str]) -> None:
    for text in texts:
        found = read_audited_changes(text)
        if not found == read_full(text) == comparable(peer(text)):
            raise SystemExit(f"the readers do not agree on:\n{text}")


def rate(read: Read, texts: list[str]) -> float:
    begun = time.perf_counter()
    for text in texts:
        read(text)
    return len(texts) / (time.perf_counter() - begun)


def rates(texts: list[str], repeat: int) -> list[float]:
    readers: list[Read] = [read_audited_changes, read_full, peer]
    # In turn, so that a machine that is slower for a while is so for all of them.
    rounds = [[rate(read, texts) for read in readers] for _ in range(repeat)]
    return [max(found) for found in zip(*rounds, strict=True)]


def taken_fast(texts: list[str]) -> float:
    taken = 0
    for text in texts:
        try:
            read_fast(text)
        except Uncommon:
            continue
        taken += 1
    return taken / len(texts)


def print_row(name: str, texts: list[str], repeat: int) -> None:
    ours, full, theirs = rates(texts, repeat)
    fast = f"{taken_fast(texts):>7.0%}"
    print(
        f"{name:28}{ours:>12,.0f}{full:>12,.0f}{theirs:>14,.0f}{ours / theirs:>9.1f}x{full / theirs:>8.1f}x{fast}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=15)
    asked = parser.parse_args()
    mix = mixed(asked.texts)
    check_same(mix)
    print(f"texts a second, {asked.texts:,} texts of {sum(map(len, mix)) / len(mix):.0f} characters on average")
    print(f"{'':28}{'ours':>12}{'full path':>12}{'CSafeLoader':>14}{'ours / C':>10}{'full / C':>9}{'fast':>7}")
    for name, (share, shape) in SHAPES.items():
        print_row(f"{name} ({share} %)", filled([shape], asked.texts), asked.repeat)
    print_row("the mix", mix, asked.repeat)


if __name__ == "__main__":
    main()
