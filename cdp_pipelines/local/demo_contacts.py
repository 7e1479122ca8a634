"""Demo contacts: a stream of documents that depends on company, number and seed alone, not on batches or the clock.

Belongs here: putting one contact together (SPEC 1.1), with gaps, wrong types and duplicates in ordinary shares, and
the showcase mess on the first contacts of a company. Not here: the values themselves (`demo_values.py`,
`demo_mess.py`) and writing them anywhere (`demo_data.py`).
"""

import hashlib
import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from bson.objectid import ObjectId

from cdp_pipelines.local.demo_companies import DemoCompany, contact_hex_id
from cdp_pipelines.local.demo_fields import CUSTOM_FIELDS, TOP_LEVEL_FIELDS, DemoField
from cdp_pipelines.local.demo_mess import (
    HOSTILE_TEXTS,
    MISSING,
    Mess,
    showcase,
    takes_hostile_text,
    wrong_values,
)
from cdp_pipelines.local.demo_pools import LocalePool, locale_pool
from cdp_pipelines.local.demo_values import MAKERS, Draw, Money

DEMO_SEED: Final = 20_240_501

# Shares of contacts, once a field is there at all.
_NULL_SHARE: Final = 0.03
_WRONG_TYPE_SHARE: Final = 0.006
_HOSTILE_SHARE: Final = 0.004
_DUPLICATE_KEY_SHARE: Final = 0.01
_ALWAYS_SOUND: Final = frozenset({"created_at", "updated_at", "source", "crm_data"})


def iter_contacts(
    company: DemoCompany, count: int, *, start: int = 0, seed: int = DEMO_SEED
) -> Iterator[dict[str, Any]]:
    """Contacts number `start` to `count` - 1 of a company, as documents ready to insert.

    Contact number i is the same document whatever `start`, `count` and the contacts before it: keys in the same
    order, equal BSON bytes. Dates are UTC-aware.
    """
    pools = _pools(company, seed)
    for index in range(start, count):
        yield _contact(company, index, seed, pools)


class ContactKey(NamedTuple):
    """What the CRM and the CDP agree on about a contact: `crm_id` None means that the CRM does not know it."""

    contact_id: str
    name: str | None
    created_at: datetime
    crm_id: int | None


def iter_contact_keys(
    company: DemoCompany, count: int, *, start: int = 0, seed: int = DEMO_SEED
) -> Iterator[ContactKey]:
    """The keys of the contacts that `iter_contacts` makes, without making the rest of them.

    `name` is None where the contact has none that is a text; the showcase's names are not in it.
    """
    pools = _pools(company, seed)
    for index in range(start, count):
        draw = _draw(company, index, seed, pools)
        top_level = _top_level(draw)
        name = top_level.get("name")
        yield ContactKey(
            contact_id=contact_hex_id(company.slug, index),
            name=name if isinstance(name, str) else None,
            created_at=draw.created_at,
            crm_id=draw.crm_id if "crm_data" in top_level else None,
        )


def _pools(company: DemoCompany, seed: int) -> tuple[LocalePool, ...]:
    """Each locale's pool as often as its share, so that one draw picks by share."""
    return tuple(locale_pool(locale, seed) for locale, share in company.locales for _ in range(share))


def _contact(company: DemoCompany, index: int, seed: int, pools: tuple[LocalePool, ...]) -> dict[str, Any]:
    draw = _draw(company, index, seed, pools)
    document: dict[str, Any] = {
        "_id": ObjectId(contact_hex_id(company.slug, index)),
        "company_sso_id": company.company_sso_id,
        **_top_level(draw),
    }
    document["custom_fields"] = _custom_fields(draw)
    examples = showcase()
    if index < len(examples):
        _apply(examples[index], document)
    return document


def _draw(company: DemoCompany, index: int, seed: int, pools: tuple[LocalePool, ...]) -> Draw:
    digest = hashlib.blake2b(f"{seed}:{company.slug}:{index}".encode(), digest_size=8).digest()
    rnd = random.Random(int.from_bytes(digest, "big")).random  # noqa: S311 made-up people, not a secret
    return Draw(index, company.crm_id(index), rnd, pools[int(rnd() * len(pools))])


def _top_level(draw: Draw) -> dict[str, Any]:
    values = ((field.name, _field_value(field, draw)) for field in TOP_LEVEL_FIELDS)
    return {name: value for name, value in values if value is not MISSING}


def _field_value(field: DemoField, draw: Draw) -> Any:
    """The field's value for this contact: usually sound, sometimes null, wrong or hostile, or `MISSING`."""
    if draw.rnd() >= field.fill:
        return MISSING
    value = MAKERS[field.maker](draw)
    if field.name in _ALWAYS_SOUND:
        return value
    fate = draw.rnd()
    if fate < _NULL_SHARE:
        return None
    fate -= _NULL_SHARE
    if fate < _WRONG_TYPE_SHARE:
        return draw.pick(wrong_values(field.field_type))
    fate -= _WRONG_TYPE_SHARE
    if fate < _HOSTILE_SHARE and takes_hostile_text(field.field_type):
        return draw.pick(HOSTILE_TEXTS)
    return value


def _custom_fields(draw: Draw) -> list[dict[str, Any]]:
    entries = []
    for field in CUSTOM_FIELDS:
        value = _field_value(field, draw)
        if value is not MISSING:
            entries.append(_entry(field.name, value))
    if entries and draw.rnd() < _DUPLICATE_KEY_SHARE:
        # The services append instead of replacing now and then; readers must settle on one of the two.
        twice = draw.pick(entries)
        entries.append({"key": twice["key"], "value": draw.pick((None, "duplikat", 0))})
    return entries


def _entry(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Money):
        return {"key": key, "value": value}
    entry = {"key": key, "value": value.value}
    if value.currency_code is not None:
        entry["currency_code"] = value.currency_code
    return entry


def _apply(mess: Mess, document: dict[str, Any]) -> None:
    """Put one kind of mess into a contact, in place of what its field held."""
    if mess.field == "custom_fields" or any(field.name == mess.field for field in TOP_LEVEL_FIELDS):
        if mess.value is MISSING:
            document.pop(mess.field, None)
        else:
            document[mess.field] = mess.value
        return
    entries = [entry for entry in document["custom_fields"] if entry["key"] != mess.field]
    document["custom_fields"] = [*entries, _entry(mess.field, mess.value)]
