"""The launchpad: which user of the CDP has an email (`GetUsersByEmails`).

Belongs here: asking, in bounded batches. Not here: remembering answers and what becomes of a record when there is none
(`pipelines/migrations/users.py`).
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg
from pydantic import Field

from cdp_pipelines.domain.errors import ConfigurationError, TransientFailure
from cdp_pipelines.domain.launchpad_users import (
    DEACTIVATED,
    DEFAULT_RULES,
    DeactivationRule,
    is_deactivated,
    read_rules,
)
from cdp_pipelines.resources.environment import optional_setting, required_setting
from cdp_pipelines.resources.http_client import TIMEOUT_SECONDS, HttpEndpoint, ask_json

PATH: Final = "/GetUsersByEmails"
DEACTIVATED_SETTING: Final = "LAUNCHPAD_DEACTIVATED"
MOST_EMAILS_A_CALL: Final = 200
RETRY_WAITS: Final = (1.0, 3.0, 9.0)
"""Seconds before each further try: a restart of the launchpad must not put a label on anybody."""
_LONGEST_ID: Final = 128

_log = logging.getLogger(__name__)


class LaunchpadClient:
    """Asks on behalf of one company."""

    def __init__(
        self,
        endpoint: HttpEndpoint,
        company_sso_id: str,
        *,
        request_id: str = "",
        rules: Sequence[DeactivationRule] | None = None,
        retry_waits: Sequence[float] = RETRY_WAITS,
    ) -> None:
        self._endpoint = endpoint
        self._rules = read_rules(DEFAULT_RULES) if rules is None else rules
        self._retry_waits = tuple(retry_waits)
        self._company = company_sso_id
        self._headers = {"X-Request-ID": request_id, "X-Company-Sso-Id": company_sso_id}

    def sso_ids(self, emails: Sequence[str]) -> dict[str, str]:
        """The SSO id of each email that is known, by the email folded to lower case; `DEACTIVATED` where it has left.

        Raises:
            TransientFailure: `LAUNCHPAD_UNAVAILABLE`, it did not answer, or not as its contract says, time and again.
            PermanentFailure: `LAUNCHPAD_REFUSED`.
        """
        found: dict[str, str] = {}
        for start in range(0, len(emails), MOST_EMAILS_A_CALL):
            asked = list(emails[start : start + MOST_EMAILS_A_CALL])
            found |= self._asked_patiently(asked)
        return found

    def _asked_patiently(self, emails: list[str]) -> dict[str, str]:
        for wait in self._retry_waits:
            try:
                return self._asked(emails)
            except TransientFailure as exc:
                _log.warning("asking the launchpad again in %.0f s (%s)", wait, exc.code)
                time.sleep(wait)
        return self._asked(emails)

    def _asked(self, emails: list[str]) -> dict[str, str]:
        body = {"company_sso_id": self._company, "emails": emails}
        answer = ask_json(self._endpoint, PATH, body, headers=self._headers)
        return _read(answer, {email.strip().casefold() for email in emails}, self._rules)


def _read(answer: Any, asked: set[str], rules: Sequence[DeactivationRule]) -> dict[str, str]:
    users = answer.get("users") if isinstance(answer, Mapping) else None
    if not isinstance(users, list):
        raise TransientFailure("LAUNCHPAD_UNAVAILABLE", "The launchpad's answer has no list of users.")
    found: dict[str, str] = {}
    for user in users:
        email = user.get("email") if isinstance(user, Mapping) else None
        key = email.strip().casefold() if isinstance(email, str) else ""
        # Only what was asked for: an answer about somebody else must not put them on a timeline.
        if key not in asked:
            continue
        sso_id = user.get("sso_id")
        if is_deactivated(user, rules):
            # An address that was given to somebody else since stands twice: whoever has it now counts.
            found.setdefault(key, DEACTIVATED)
        elif isinstance(sso_id, str) and 0 < len(sso_id) <= _LONGEST_ID:
            found[key] = sso_id
    return found


class LaunchpadResource(dg.ConfigurableResource[None]):
    """The launchpad. Settings: `LAUNCHPAD_API_ROOT_URL`, `LAUNCHPAD_API_AUTH` (sent as `Authorization`),
    `LAUNCHPAD_DEACTIVATED`.
    """

    root_url: str = Field(default="", description="Address of the launchpad; empty: LAUNCHPAD_API_ROOT_URL.")
    authorization: str = Field(default="", description="Its Authorization header; empty: LAUNCHPAD_API_AUTH.")
    deactivated: str = Field(
        default="", description="What its answer says of a user who is deactivated; empty: LAUNCHPAD_DEACTIVATED."
    )
    timeout_seconds: float = Field(
        default=TIMEOUT_SECONDS, gt=0, le=120, description="How long one try may take, in seconds."
    )
    retry_waits: list[float] = Field(
        default=list(RETRY_WAITS), description="Seconds before each further try while it is away."
    )

    def open(self, company_sso_id: str, *, request_id: str = "") -> LaunchpadClient:
        """A client for one company; nothing is contacted yet.

        Raises:
            ConfigurationError: the address is missing or is none; `SETTING_INVALID`, `LAUNCHPAD_DEACTIVATED` is.
        """
        endpoint = HttpEndpoint(
            name="The launchpad",
            code="LAUNCHPAD",
            setting="LAUNCHPAD_API_ROOT_URL",
            url=required_setting("LAUNCHPAD_API_ROOT_URL", self.root_url),
            authorization=optional_setting("LAUNCHPAD_API_AUTH", self.authorization),
            timeout_seconds=self.timeout_seconds,
        )
        return LaunchpadClient(
            endpoint, company_sso_id, request_id=request_id, rules=self.rules(), retry_waits=self.retry_waits
        )

    def rules(self) -> Sequence[DeactivationRule]:
        """What makes a user deactivated.

        Raises:
            ConfigurationError: `SETTING_INVALID`.
        """
        try:
            return read_rules(optional_setting(DEACTIVATED_SETTING, self.deactivated, DEFAULT_RULES))
        except ValueError as exc:
            raise ConfigurationError("SETTING_INVALID", f"{DEACTIVATED_SETTING}: {exc}.") from exc
