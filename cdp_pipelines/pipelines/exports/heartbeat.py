"""What a working run asks between two batches: does the job still want it?"""

from typing import Any

import dagster as dg

from cdp_pipelines.domain.errors import CancelRequested, CdpError
from cdp_pipelines.pipelines.exports.services import SharedServices


class OwnershipLost(CdpError):
    """The job ended, or went to another run, while this one was working; this one must leave no trace."""

    def __init__(self) -> None:
        super().__init__("OWNERSHIP_LOST", "The job was ended or taken over while this run was working on it.")


class Beat:
    """Renews the lease of one job for one run; each call is one round trip."""

    def __init__(self, services: SharedServices, job_id: str, company_sso_id: str, run_id: str) -> None:
        self._services = services
        self.job_id = job_id
        self.company_sso_id = company_sso_id
        self.run_id = run_id

    def __call__(self, *, heed_cancel: bool = True, **progress: object) -> None:
        """Write progress and renew the lease.

        Raises:
            CancelRequested: somebody asked to stop, and `heed_cancel`.
            OwnershipLost: the job is no longer this run's.
        """
        answer = self._services.jobs.beat(
            self.job_id, self.company_sso_id, self.run_id, now=self._services.now(), **progress
        )
        if not answer.owned:
            raise OwnershipLost
        if answer.cancel_requested and heed_cancel:
            raise CancelRequested


def beat_of(context: dg.OpExecutionContext, services: SharedServices, request_id: str) -> Beat:
    """The beat of this run for a request of its partition's company."""
    return Beat(services, request_id, context.partition_key, context.run_id)


def owned_document(services: SharedServices, beat: Beat, *, heed_cancel: bool = False) -> dict[str, Any]:
    """The job document as it stands, with the lease renewed.

    Raises:
        CancelRequested, OwnershipLost: see `Beat`.
    """
    beat(heed_cancel=heed_cancel)
    document = services.jobs.find_taken_in(beat.job_id, beat.company_sso_id)
    if document is None:
        raise OwnershipLost
    return document
