"""The CRM's users and who they are in the CDP: two hops, asked in batches and remembered for the run (SPEC 5.2)."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from cdp_pipelines.domain.crm_records import CrmUser, email_key
from cdp_pipelines.domain.errors import CdpError, ConfigurationError
from cdp_pipelines.resources.launchpad import LaunchpadClient

REMEMBERED_USERS: Final = 50_000
PAUSE_SECONDS: Final = 60.0
"""After a failure the launchpad is left alone this long, so that its outage does not cost every page its timeouts."""
LAUNCHPAD_OUTAGES: Final = "launchpad_outages"

logger = logging.getLogger(__name__)


class UserMemory:
    """What is known of a company's users, for as long as a run."""

    def __init__(self) -> None:
        self.users: dict[int, CrmUser | None] = {}
        self.sso_ids: dict[str, str | None] = {}


_OF_RUNS: Final[OrderedDict[tuple[str, str], UserMemory]] = OrderedDict()
_RUNS_REMEMBERED: Final = 4
_lock: Final = threading.Lock()


def memory_of_run(company_sso_id: str, run_id: str) -> UserMemory:
    """What the steps of one run share as far as they are in one process, so that each user is asked for once.

    No other company or run sees it, and a process remembers its last few runs only.
    """
    with _lock:
        memory = _OF_RUNS.setdefault((company_sso_id, run_id), UserMemory())
        _OF_RUNS.move_to_end((company_sso_id, run_id))
        while len(_OF_RUNS) > _RUNS_REMEMBERED:
            _OF_RUNS.popitem(last=False)
    return memory


class UserDirectory:
    """CRM users and their SSO ids; the launchpad's outage never fails a record."""

    def __init__(
        self,
        ask_crm: Callable[[Sequence[int]], dict[int, CrmUser]],
        launchpad: Callable[[], LaunchpadClient],
        *,
        memory: UserMemory | None = None,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._ask_crm = ask_crm
        self._launchpad = launchpad
        self._pause_seconds = pause_seconds
        memory = memory or UserMemory()
        self._users, self._sso_ids = memory.users, memory.sso_ids
        self._silent_until = 0.0
        self._outages = 0

    def users(self, ids: Collection[int]) -> dict[int, CrmUser]:
        """The organization's users among these ids."""
        missing = [number for number in ids if number not in self._users]
        if missing:
            if len(self._users) + len(missing) > REMEMBERED_USERS:
                self._users.clear()
                self._sso_ids.clear()
                missing = list(ids)
            found = self._ask_crm(missing)
            self._users |= {number: found.get(number) for number in missing}
        return {number: user for number in ids if (user := self._users[number]) is not None}

    def sso_ids(self, users: Collection[CrmUser]) -> dict[str, str]:
        """The SSO ids of the live users' emails, as far as the launchpad says; what it could not say is asked again."""
        emails = {email_key(user.email): user.email for user in users if user.email and not user.deleted}
        missing = [email for key, email in emails.items() if key not in self._sso_ids]
        if missing and time.monotonic() >= self._silent_until:
            self._ask(missing)
        return {key: sso_id for key in emails if (sso_id := self._sso_ids.get(key)) is not None}

    def unanswered(self, users: Collection[CrmUser], answered: Mapping[str, str]) -> frozenset[str]:
        """Of which of the live users' emails (folded) the launchpad has said nothing, `answered` being what it said.

        It was away then. One that it does not know has been answered.
        """
        unknown = {key for user in users if user.email and not user.deleted and (key := email_key(user.email))} - set(
            answered
        )
        return frozenset(key for key in unknown if key not in self._sso_ids)

    def new_outages(self) -> Mapping[str, int]:
        """The launchpad's outages since this was last asked, under the name that counts them on a job."""
        outages, self._outages = self._outages, 0
        return {LAUNCHPAD_OUTAGES: outages} if outages else {}

    def _ask(self, emails: list[str]) -> None:
        try:
            found = self._launchpad().sso_ids(emails)
        except ConfigurationError:
            # Nobody has set it up, which is no outage: better told than every user unknown.
            raise
        except CdpError as exc:
            # SPEC 5.2: an outage is counted, and the record is kept.
            self._outages += 1
            self._silent_until = time.monotonic() + self._pause_seconds
            logger.warning(
                "the launchpad does not answer (%s); not asked again for %.0f s", exc.code, self._pause_seconds
            )
            return
        self._sso_ids |= {email_key(email): found.get(email_key(email)) for email in emails}
