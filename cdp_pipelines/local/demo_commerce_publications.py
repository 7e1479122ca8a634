"""Demo `publications`: vouchers handed to their holders, and hand-outs that failed.

Not here: who holds what (`demo_commerce_vouchers.py`).
"""

from datetime import timedelta
from typing import Any, Final

from cdp_pipelines.local.demo_commerce_values import (
    CHANNELS,
    FAR_DATES,
    LAST_DAY,
    MESSY_TEXTS,
    Dice,
    Document,
    Workshop,
    bare,
    every_metadata,
    metadata,
    moment,
    punch,
    show,
)

_FAILURE_SHARE: Final = 0.07
_FAILURE_CODES: Final = ("no_voucher_suitable_for_publication", "customer_not_found", "internal_error")
_OPTIONAL: Final = ("channel", "tracking_id", "source_id", "metadata", "is_winner", "campaign")


def make_publications(
    workshop: Workshop, count: int, *, vouchers: list[Document], customers: list[Document]
) -> list[Document]:
    """A company's publications; one that succeeded names the voucher's holder. The last has nothing but its `_id`."""
    dice, head = workshop.dice("publications"), workshop.heads("publications")
    held = [voucher for voucher in vouchers if voucher.get("holder_id")]
    made = []
    for number in range(count - 1):
        failed = dice.chance(_FAILURE_SHARE)
        voucher = None if failed else held[number % len(held)]
        first = (
            max(voucher["created_at"], LAST_DAY - timedelta(days=600)) if voucher else LAST_DAY - timedelta(days=300)
        )
        at = moment(dice, first, LAST_DAY)
        document = head(number) | {
            "voucher_code": voucher and voucher["code"],
            "campaign": voucher and voucher["campaign"],
            "customer_id": voucher["holder_id"] if voucher else dice.pick(customers[:-1])["id"],
            "tracking_id": f"pub-track-{number}",
            "date": at,
            "channel": CHANNELS[number % len(CHANNELS)],
            "is_winner": dice.chance(0.02),
            "source_id": f"kampanye/{number}",
            "result": "FAILURE" if failed else "SUCCESS",
            "failure_code": dice.pick(_FAILURE_CODES) if failed else None,
            "metadata": metadata(dice),
            "created_at": at,
        }
        punch(dice, document, _OPTIONAL)
        made.append(document)
    show(made, _examples(dice))
    return [*made, bare(head(count - 1))]


def _examples(dice: Dice) -> list[tuple[str, Any]]:
    return [
        *(("channel", text) for text in MESSY_TEXTS),
        *(("date", date) for date in FAR_DATES),
        ("is_winner", "ya"),
        ("metadata", every_metadata(dice)),
    ]
