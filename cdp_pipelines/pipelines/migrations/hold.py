"""A run's hold on its job: renewing the lease, heeding a cancel, and ending the job in the way that fits what happened.

Notices are sent inside the run (SPEC 2); the sweeper comes only after runs that died.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg

from cdp_pipelines.domain.errors import CancelRequested, CdpError
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.migrations import CANCELED, FAILED, HALTED, Counts, halts
from cdp_pipelines.pipelines.migrations.conclude import conclude, summary_of
from cdp_pipelines.pipelines.migrations.report import failure_tables
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.stores.migration_jobs import Owned

logger = logging.getLogger(__name__)

Document = dict[str, Any]
OUTCOMES: Final = ("records_processed", "records_migrated", "records_skipped", "records_failed")


class OwnershipLost(CdpError):
    """The job ended or went to another run while this one was working; this one must leave no further trace."""

    def __init__(self) -> None:
        super().__init__("OWNERSHIP_LOST", "The job was ended or taken over while this run was working on it.")


class Halted(CdpError):
    """Too many rows failed; the cursors are kept and starting again goes on."""

    def __init__(self, failure_rate: float, limit: float, failed: int, processed: int, migration: str) -> None:
        super().__init__(
            "MIGRATION_HALTED",
            f"{failed:,} of {processed:,} rows failed ({failure_rate:.2%}, the limit is {limit:.0%}), so the migration "
            f"halted. See the failed rows with their reasons (cdp migrate replay {migration} --list), mend the cause, "
            "then start again: it takes the failed rows first and goes on where it stopped.",
            details={"failure_rate": round(failure_rate, 6)},
        )
        self.failure_rate = failure_rate


class Hold:
    """One run's hold on one job."""

    def __init__(self, services: MigrationServices, owned: Owned, request_id: object = None) -> None:
        self.services = services
        self.owned = owned
        self.request_id = request_id

    @property
    def label(self) -> str:
        """What every log line of this work begins with."""
        return f"[{self.request_id or self.owned.job_id}]"

    def beat(self, **changes: Any) -> Document:
        """Renew the lease and write `changes`; the job as it is then.

        Raises:
            OwnershipLost: the job is no longer this run's.
            CancelRequested: somebody asked to stop.
        """
        job = self.services.jobs.beat(self.owned, changes, now=self.services.now())
        return self._heed(job)

    def advance(
        self,
        shard: str,
        page: Counts,
        listed: Mapping[str, Sequence[RowFailure]],
        *,
        from_id: int,
        to_id: int,
        done: bool = False,
    ) -> Document:
        """Count a page, move the shard's cursor, and look whether to go on. `listed` goes to the job's lists, by name.

        Raises:
            OwnershipLost, CancelRequested: see `beat`.
            Halted: too many rows failed since the job was last started.
        """
        job = self.services.jobs.advance(
            self.owned, shard, page, listed, from_id=from_id, to_id=to_id, done=done, now=self.services.now()
        )
        job = self._heed(job)
        total, since = counts_of(job), counts_of(job.get("guard_base") or {})
        limit = self.services.kind.halt_limit
        if halts(total, since, limit=limit):
            raise Halted(total.failure_rate, limit, total.failed, total.processed, self.services.kind.command_name)
        return job

    def _heed(self, job: Document | None) -> Document:
        if job is None:
            raise OwnershipLost
        company = self.owned.company_sso_id
        if self.request_id is not None and self.services.requests.cancel_requested(self.request_id, company):
            raise CancelRequested
        if job.get("cancel_requested") is True:
            raise CancelRequested
        return job


def outcomes_of(job: Mapping[str, Any]) -> Document:
    """The counts of a job by outcome, under its own names."""
    return {name: job.get(name) for name in OUTCOMES}


def counts_of(job: Mapping[str, Any]) -> Counts:
    """The counts of a job document, or of the part of one that has the same names."""
    return Counts(
        migrated=int(job.get("records_migrated") or 0),
        skipped=dict(job.get("records_skipped") or {}),
        failed=int(job.get("records_failed") or 0),
        notes=dict(job.get("notes") or {}),
    )


@contextmanager
def ending_badly(hold: Hold) -> Iterator[None]:
    """End the job in the way that fits what went wrong inside, and the run as a plain failure of its step."""
    try:
        yield
    except CancelRequested as exc:
        conclude(hold.services, hold.owned, CANCELED, request_id=hold.request_id)
        raise dg.Failure(
            f"{hold.label} canceled on request. What is migrated stays; starting again goes on.", allow_retries=False
        ) from exc
    except OwnershipLost as exc:
        raise dg.Failure(f"{hold.label} {exc.message}", allow_retries=False) from exc
    except Halted as exc:
        conclude(hold.services, hold.owned, HALTED, request_id=hold.request_id, error=exc)
        raise dg.Failure(f"{hold.label} {exc.message}", metadata=_metadata(hold), allow_retries=False) from exc
    except CdpError as exc:
        conclude(hold.services, hold.owned, FAILED, request_id=hold.request_id, error=exc)
        raise dg.Failure(f"{hold.label} {exc}", metadata=_metadata(hold), allow_retries=False) from exc
    except dg.Failure:
        raise
    except Exception as exc:
        # A mistake in the program: people are told in plain words, the developer by the run's stack trace.
        error = CdpError("INTERNAL_ERROR", "The migration stopped because of an error in the program.")
        conclude(hold.services, hold.owned, FAILED, request_id=hold.request_id, error=error)
        raise dg.Failure(f"{hold.label} {type(exc).__name__} in the program.", allow_retries=False) from exc


def _metadata(hold: Hold) -> dict[str, Any]:
    """The job's figures beside a failure, so that ops read them in the run."""
    try:
        job = hold.services.jobs.find(hold.owned.job_id, hold.owned.company_sso_id)
    except CdpError:
        return {}
    if job is None:
        return {}
    return {**summary_of(job), **failure_tables(hold.services.kind, job)}
