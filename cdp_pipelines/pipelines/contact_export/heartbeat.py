"""What a working run asks between two batches: does the job still want it?"""

from cdp_pipelines.domain.errors import CancelRequested, CdpError
from cdp_pipelines.pipelines.contact_export.services import ExportServices


class OwnershipLost(CdpError):
    """The job ended, or went to another run, while this one was working; this one must leave no trace."""

    def __init__(self) -> None:
        super().__init__("OWNERSHIP_LOST", "The job was ended or taken over while this run was working on it.")


class Beat:
    """Renews the lease of one job for one run; each call is one round trip."""

    def __init__(self, services: ExportServices, job_id: str, company_sso_id: str, run_id: str) -> None:
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
