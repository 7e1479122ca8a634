"""Names and bounds that every kind of export keeps."""

from typing import Final

PASSING: Final = "values_in_memory"
"""The IO manager between the steps: ids and paths of one process, nothing of which is to outlive it."""
TAG_COMPANY: Final = "company"
TAG_REQUEST: Final = "request_id"
TAG_REQUESTED_BY: Final = "requested_by"

MOST_LAUNCHES_A_TICK: Final = 25
MOST_SWEEPS_A_TICK: Final = 50
"""Of each kind, so that many dead runs of one do not keep the other waiting."""
UNHEARD_SECONDS: Final = 20
"""A launched job is left alone this long before anybody asks whether its run died."""
STALLED_QUEUE_SECONDS: Final = 600
FAILURE_EMAIL_TRIES: Final = 10
FAILURE_EMAIL_RETRY_SECONDS: Final = 60
