"""Values of the demo CRM's columns, as they stand in an audit's changes.

Belongs here: one small maker a column, and which columns a kind of record has. Not here: how they are written
(`demo_crm_yaml.py`) and put together into changes (`demo_crm_texts.py`).
"""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from cdp_pipelines.local.demo_crm_yaml import Plain, Tagged, big_decimal, utc_time, zoned_time
from cdp_pipelines.local.demo_pools import LocalePool

T = TypeVar("T")

RESOLVED_STATUSES: Final = (4, 5)
OTHER_STATUSES: Final = (1, 2, 3, 6)
WON_STAGE: Final = 90
LOST_STAGE: Final = 91
OTHER_STAGES: Final = (10, 20, 30, 40, 50)
DONE_TASK: Final = 3
OTHER_TASKS: Final = (1, 2)

_FIRST: Final = datetime(2022, 6, 1, tzinfo=UTC)
_ZONES: Final = (("Asia/Jakarta", 7), ("Asia/Makassar", 8), ("Asia/Tokyo", 9), ("Asia/Dubai", 4), ("Etc/UTC", 0))
_EMOJI: Final = ("☕ ngopi dulu", "🙂 oke", "🇮🇩 merdeka", "👩‍👩‍👧‍👦 keluarga", "🔥🔥")
_TAGS: Final = ("VIP", "hot lead", "perlu follow-up", "x: y", "エリア東京", "عميل مهم", "y", "2024", "")
_HTML: Final = (
    "<p>{}</p>",
    "<p><b>{}</b><br>{}</p>",
    '<p>Hubungi <a href="/users/7/edit_user">@Sari</a>: {}</p>',
    "{}",
)


class Values:
    """Draws values of one locale mix from one random stream."""

    def __init__(self, pools: Sequence[LocalePool], rng: random.Random) -> None:
        self.rng = rng
        self._pools = pools
        self._anchors = 0
        self._offset_hours = 0

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[int(self.rng.random() * len(values))]

    def chance(self, share: float) -> bool:
        """True in that share of calls."""
        return self.rng.random() < share

    def start_text(self) -> None:
        """Anchors are counted anew in each text."""
        self._anchors = 0

    def _pool(self) -> LocalePool:
        return self.pick(self._pools)

    def name(self) -> str:
        """A person's name."""
        return self.pick(self._pool().names)

    def company(self) -> str:
        """A company's name."""
        return self.pick(self._pool().companies)

    def deal(self) -> str:
        """What a deal is called."""
        return f"{self.pick(('Paket', 'Langganan', '契約', 'عرض', 'Proposal:'))} {self.company()}"

    def sentence(self) -> str:
        """A line of text, sometimes with an emoji."""
        text = self.pick(self._pool().sentences)
        return f"{text} {self.pick(_EMOJI)}" if self.chance(0.08) else text

    def paragraph(self) -> str:
        """Some lines: a literal block, a long folded line, or CRLF as browsers send it."""
        sentences = [self.pick(self._pool().sentences) for _ in range(2 + int(self.rng.random() * 4))]
        separator = self.pick(("\n", "\n", " ", " ", "\r\n", "\n\n"))
        return separator.join(sentences) + self.pick(("", "", "\n", " "))

    def html(self) -> str:
        """A note as the CRM's editor stores it."""
        return self.pick(_HTML).format(self.paragraph(), self.sentence())

    def address(self) -> str:
        """Street, town and country in three lines."""
        pool = self._pool()
        return f"{self.pick(pool.streets)}\n{self.pick(pool.cities)}\n{pool.country}"

    def phone(self) -> str:
        """With a plus sign, or a leading zero that must not get lost."""
        number = f"8{int(self.rng.random() * 10**9):09d}"
        return f"{self._pool().dial_code}{number}" if self.chance(0.6) else f"0{number}"

    def email(self) -> str:
        """Nobody's address."""
        return f"pelanggan{int(self.rng.random() * 10**6)}@example.com"

    def small(self) -> int:
        """A foreign key or a counter."""
        return 1 + int(self.rng.random() * 40)

    def flag(self) -> bool:
        """A boolean column."""
        return self.chance(0.5)

    def ratio(self) -> float:
        """A float column."""
        return int(self.rng.random() * 2_000) / 20

    def money(self) -> Plain:
        """A decimal column."""
        return big_decimal(Decimal(int(self.rng.random() * 10**9)).scaleb(-self.pick((0, 0, 1, 2))))

    def day(self) -> date:
        """A date column."""
        return (_FIRST + timedelta(days=int(self.rng.random() * 1_300))).date()

    def moment(self) -> Tagged | Plain:
        """A time column: with its zone, the second one of a text by alias; from older records a bare UTC time."""
        instant = _FIRST + timedelta(microseconds=int(self.rng.random() * 1_300 * 86_400 * 10**6))
        if self.chance(0.15):
            return utc_time(instant)
        if self._anchors:
            return zoned_time(instant, "", self._offset_hours, alias=1)
        zone, self._offset_hours = self.pick(_ZONES)
        self._anchors = 1
        return zoned_time(instant, zone, self._offset_hours, anchor=1)

    def tags(self) -> list[str]:
        """An array column."""
        return [self.pick(_TAGS) for _ in range(int(self.rng.random() * 3.5))]

    def secret(self) -> str:
        """What `audited` puts in place of a redacted column, and Rails in place of a filtered one."""
        return self.pick(("[REDACTED]", "[FILTERED]"))

    def custom_fields(self) -> Tagged | dict[str, Any]:
        """A serialized column: symbols and texts as keys, or a hash that does not care."""
        fields: dict[str, Any] = {
            Plain(":plan"): Plain(self.pick((":gold", ":silver"))),
            "seats": [self.small(), None, self.flag()],
            "catatan": self.sentence(),
        }
        if self.chance(0.5):
            return Tagged("!ruby/hash:ActiveSupport::HashWithIndifferentAccess", {"plan": "gold", "kota": self.name()})
        return fields


Column = Callable[[Values], Any]

PERSON: Final[Mapping[str, Column]] = {
    "first_name": Values.name,
    "last_name": Values.name,
    "email": Values.email,
    "phone": Values.phone,
    "job_title": Values.sentence,
    "address": Values.address,
    "date_of_birth": Values.day,
    "crm_source_id": Values.small,
    "is_subscribed": Values.flag,
    "credit_limit": Values.money,
    "last_contacted_at": Values.moment,
    "custom_fields": Values.custom_fields,
    "tags": Values.tags,
    "identity_number": Values.secret,
    "description": Values.paragraph,
}
DEAL: Final[Mapping[str, Column]] = {
    "name": Values.deal,
    "amount": Values.money,
    "currency": lambda values: values.pick(("IDR", "USD", "JPY")),
    "crm_pipeline_id": Values.small,
    "crm_stage_id": lambda values: values.pick(OTHER_STAGES),
    "win_probability": Values.ratio,
    "expected_close_date": Values.day,
    "closed_at": Values.moment,
    "description": Values.paragraph,
    "tags": Values.tags,
}
COMPANY: Final[Mapping[str, Column]] = {
    "name": Values.company,
    "website": lambda values: f"https://www.example.com/?id={values.small()}",
    "industry_id": Values.small,
    "address": Values.address,
    "annual_revenue": Values.money,
    "telephone": Values.phone,
    "founded_on": Values.day,
    "custom_fields": Values.custom_fields,
}
TICKET: Final[Mapping[str, Column]] = {
    "name": Values.sentence,
    "ticket_status_id": lambda values: values.pick(OTHER_STATUSES),
    "priority": lambda values: Plain(values.pick((":low", ":normal", ":urgent"))),
    "description": Values.paragraph,
    "due_at": Values.moment,
    "channel": lambda values: values.pick(("whatsapp", "email", "web chat")),
    "tags": Values.tags,
}
TASK: Final[Mapping[str, Column]] = {
    "name": Values.sentence,
    "crm_task_status_id": lambda values: values.pick(OTHER_TASKS),
    "due_date": Values.day,
    "reminder_at": Values.moment,
    "description": Values.paragraph,
    "is_recurring": Values.flag,
}
NOTE: Final[Mapping[str, Column]] = {
    "note": Values.html,
    "crm_note_type_id": Values.small,
    "is_pinned": Values.flag,
}
OTHER: Final[Mapping[str, Column]] = {"name": Values.company, "position": Values.small, "price": Values.money}
