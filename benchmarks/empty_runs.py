"""The peer of `queue_to_mail`: a code location whose runs do nothing, launched by a sensor like ours."""

import os
import sys
import time

import dagster as dg

BURST = int(os.environ.get("CDP_BENCH_BURST", "50"))


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job(executor_def=dg.in_process_executor)
def empty() -> None:
    """A run of one step that does nothing."""
    nothing()


@dg.sensor(job=empty, minimum_interval_seconds=5, default_status=dg.DefaultSensorStatus.RUNNING)
def burst() -> list[dg.RunRequest]:
    """Ask for all runs at once; later ticks ask for the same keys, which Dagster launches no second time."""
    return [dg.RunRequest(run_key=f"empty-{number}") for number in range(BURST)]


defs = dg.Definitions(jobs=[empty], sensors=[burst])


def seconds_of_burst(size: int) -> float:
    """Wait until `size` runs have ended; seconds from the first one's creation to the last one's end."""
    with dg.DagsterInstance.get() as instance:
        while True:
            records = instance.get_run_records(dg.RunsFilter(job_name="empty"))
            ends = [record.end_time for record in records if record.end_time is not None]
            if len(ends) >= size:
                return max(ends) - min(record.create_timestamp.timestamp() for record in records)
            time.sleep(1)


if __name__ == "__main__":
    print(seconds_of_burst(int(sys.argv[1])))  # read by queue_to_mail
