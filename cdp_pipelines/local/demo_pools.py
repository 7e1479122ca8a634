"""Pools of made-up names, places and sentences, one a locale, drawn once from a seeded Faker.

Faker makes some ten thousand values a second, too slow for two million; a few hundred of each kind, combined, look
just as varied. Not here: combining them (`demo_values.py`).
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

_COUNTRIES: Final = {
    "id_ID": ("Indonesia", "+62"),
    "en_US": ("United States", "+1"),
    "ja_JP": ("日本", "+81"),
    "de_DE": ("Deutschland", "+49"),
    "ar_AA": ("الإمارات", "+971"),
    "he_IL": ("ישראל", "+972"),
}


@dataclass(frozen=True, slots=True)
class LocalePool:
    """Values of one locale; each tuple has at least 60 entries."""

    locale: str
    country: str
    dial_code: str
    names: tuple[str, ...]
    cities: tuple[str, ...]
    streets: tuple[str, ...]
    companies: tuple[str, ...]
    jobs: tuple[str, ...]
    sentences: tuple[str, ...]


@cache
def locale_pool(locale: str, seed: int) -> LocalePool:
    """The pool of a locale; the same seed and Faker version give the same pool, whatever was drawn before."""
    from faker import Faker

    fake = Faker(locale)
    fake.seed_instance(seed)
    country, dial_code = _COUNTRIES[locale]
    return LocalePool(
        locale=locale,
        country=country,
        dial_code=dial_code,
        names=tuple(fake.name() for _ in range(400)),
        cities=tuple(fake.city() for _ in range(120)),
        streets=tuple(fake.street_address().replace("\n", ", ") for _ in range(200)),
        companies=tuple(fake.company() for _ in range(120)),
        jobs=tuple(fake.job() for _ in range(60)),
        sentences=tuple(fake.sentence() for _ in range(150)),
    )


def pools_version() -> str:
    """What the pools depend on besides the seed: another Faker release may know other names."""
    from faker import VERSION

    return f"faker-{VERSION}"
