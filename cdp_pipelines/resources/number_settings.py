"""The numbers that operators can set: what each may be, said once, for reading it, for `cdp doctor` and for its page.

Belongs here: names, defaults, bounds and why they are where they are, and reading one. Not here: what follows from
them (`export_limits.py`, `entity_export_limits.py` and whoever else asks).
"""

import re
from dataclasses import dataclass
from typing import Final

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.environment import optional_setting

DOCUMENT_SECONDS: Final = 7 * 86_400
"""How long the document of an ended export is kept; whoever removes its files goes by it."""
SIGNED_LINK_SECONDS: Final = 604_800
"""The most that S3's signatures hold for (version 4)."""

_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_LONGEST: Final = 30
"""Digits that are looked at: a longer number is too large for anything."""


@dataclass(frozen=True, slots=True)
class NumberSetting:
    """One number. `most` is included. `whole` ones have no decimals; others may end in `s`, for seconds."""

    name: str
    default: int
    least: float
    most: int
    unit: str
    whole: bool = True

    def allowed(self) -> str:
        """The range in words, such as "a whole number, 1 to 604,800 seconds"."""
        return f"{'a whole number' if self.whole else 'a number'}, {self.least:,} to {self.most:,} {self.unit}".rstrip()


NUMBERS: Final = {
    setting.name: setting
    for setting in (
        NumberSetting("CDP_EMAIL_ATTACHMENT_LIMIT", 10_000_000, 0, 50_000_000, "bytes"),
        NumberSetting("CDP_EXPORT_RATE_LIMIT", 5, 0, 1_000_000, "exports"),
        NumberSetting("CDP_EXPORT_RATE_WINDOW_SECONDS", 3_600, 1, DOCUMENT_SECONDS, "seconds"),
        NumberSetting("CDP_EXPORT_PAGE_ROWS", 1_000, 1, 100_000, "rows"),
        NumberSetting("CDP_EXPORT_PART_BYTES", 1_000_000_000, 1, 1_000_000_000_000, "bytes"),
        NumberSetting("CDP_EXPORT_URL_TTL", 3_600, 1, SIGNED_LINK_SECONDS, "seconds"),
        NumberSetting("CDP_EXPORT_FILE_TTL", 172_800, 60, DOCUMENT_SECONDS, "seconds"),
        NumberSetting("CDP_SMTP_PORT", 25, 1, 65_535, ""),
        NumberSetting("CDP_CRM_STATEMENT_SECONDS", 300, 1, 900, "seconds"),
        # Well under the lease, which cannot be renewed while MongoDB itself is away.
        NumberSetting("CDP_OUTAGE_PATIENCE_SECONDS", 300, 0, 600, "seconds"),
        NumberSetting("CRM_NOTES_EXTRACT_TIMEOUT", 10, 0.1, 119, "seconds", whole=False),
    )
}


def whole_number_setting(name: str, explicit: int | None = None) -> int:
    """The explicit value, else that of the environment variable, else its default.

    Raises:
        ConfigurationError: `SETTING_INVALID`, it is no whole number, or out of its bounds. The text names the setting
            and what it may be, and does not repeat it: what was pasted there may be anything.
    """
    setting = NUMBERS[name]
    text = str(explicit) if explicit is not None else optional_setting(name).strip()
    if not text:
        return setting.default
    if not _WHOLE.fullmatch(text):
        raise _invalid(setting, "is not a whole number")
    return int(_within(setting, text))


def seconds_setting(name: str, explicit: float | None = None) -> float:
    """As `whole_number_setting`, for seconds with or without decimals, also written as `10s`.

    Raises:
        ConfigurationError: `SETTING_INVALID`.
    """
    setting = NUMBERS[name]
    text = str(explicit) if explicit is not None else optional_setting(name).strip()
    if not text:
        return float(setting.default)
    number = text.removesuffix("s").rstrip()
    if not _DECIMAL.fullmatch(number):
        raise _invalid(setting, "is not a number")
    return _within(setting, number)


def number_setting(name: str) -> float:
    """Any of them, from the environment.

    Raises:
        ConfigurationError: `SETTING_INVALID`.
    """
    return whole_number_setting(name) if NUMBERS[name].whole else seconds_setting(name)


def is_set(name: str, explicit: int | None = None) -> bool:
    """Whether somebody chose a value."""
    return explicit is not None or bool(optional_setting(name).strip())


def _within(setting: NumberSetting, text: str) -> float:
    if len(text) > _LONGEST:
        raise _invalid(setting, "is too small" if text.startswith("-") else "is too large")
    number = int(text) if setting.whole else float(text)
    if number < setting.least:
        raise _invalid(setting, "is too small")
    if number > setting.most:
        raise _invalid(setting, "is too large")
    return number


def _invalid(setting: NumberSetting, problem: str) -> ConfigurationError:
    must = f"{setting.name} must be seconds, such as {setting.default}" if not setting.whole else setting.name
    return ConfigurationError(
        "SETTING_INVALID", f"{must}: what is set {problem}. Allowed is {setting.allowed()} (see docs/settings.md)."
    )
