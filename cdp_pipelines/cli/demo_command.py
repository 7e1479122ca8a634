"""`cdp demo`: everything on this machine, from an empty folder to the mails with their files.

Belongs here: starting, stopping and the exit code. Not here: what happens in between (`demo/`).
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import FAILED, OK
from cdp_pipelines.cli.options import DEFAULT_ROOT, JsonOption, RootOption

if TYPE_CHECKING:
    from cdp_pipelines.cli.demo.dagster_processes import DagsterProcesses
    from cdp_pipelines.cli.demo.outcome import DemoOutcome
    from cdp_pipelines.local.stack import LocalStack

DEFAULT_TIMEOUT_SECONDS: Final = 300.0


def demo(
    ui: Annotated[bool, typer.Option("--ui", help="Start the Dagster UI as well, and leave all running.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin with empty servers.")] = False,
    scale: Annotated[float, typer.Option(min=0.001, max=10, help="Share of the demo's 35,550 contacts to make.")] = 1.0,
    keep_running: Annotated[bool, typer.Option("--keep-running", help="Leave servers and daemon running.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for the exports, at most.")] = DEFAULT_TIMEOUT_SECONDS,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Show it all: local servers, demo data, a real Dagster daemon, requests in the queue, files and mails.

    Takes two to three minutes. Needs no settings and reaches nothing outside this machine. Ends with 1 if a request
    does not end as it must.
    """
    from cdp_pipelines.cli.demo.dagster_processes import DagsterProcesses
    from cdp_pipelines.local.interrupts import interrupts_wait
    from cdp_pipelines.local.stack import LocalStack

    stack, dagster = LocalStack(root), DagsterProcesses(root)
    begun = time.monotonic()
    stays = False
    try:
        outcomes, ui_url = _play(stack, dagster, ui=ui, fresh=fresh, scale=scale, timeout_seconds=timeout)
        stays = ui or keep_running
    finally:
        if not stays:
            with interrupts_wait():
                output.note("Stopping what the demo started …")
                dagster.stop()
                stack.down()
    raise typer.Exit(_conclude(outcomes, stack.root, ui_url, time.monotonic() - begun, stays=stays, as_json=as_json))


def _play(
    stack: "LocalStack", dagster: "DagsterProcesses", *, ui: bool, fresh: bool, scale: float, timeout_seconds: float
) -> tuple[list["DemoOutcome"], str]:
    from cdp_pipelines.cli.demo import run
    from cdp_pipelines.cli.demo.steps import step
    from cdp_pipelines.cli.local_environment import only_local
    from cdp_pipelines.cli.local_setup import prepare
    from cdp_pipelines.cli.services import export_services

    with step("Starting the local servers"):
        dagster.stop()
        variables = stack.up(fresh).variables
    only_local(variables)
    prepare(output.note)
    with export_services() as services:
        run.clear_the_way(services)
        # Loading the code takes them some seconds, in which the demo data is written.
        dagster.start_daemon()
        ui_url = dagster.start_webserver() if ui else ""
        run.load_data(services, scale=scale)
        if ui_url:
            with step("Waiting for the Dagster UI"):
                dagster.await_webserver(ui_url)
        outcomes = run.queue_requests(services, scale=scale)
        run.watch(services, outcomes, dagster, timeout_seconds=timeout_seconds)
        with step("Fetching the files and reading the mails"):
            run.collect_files(services, outcomes, stack.root / "demo")
            run.collect_mails(outcomes, Path(variables["CDP_MAILDIR"]))
    return outcomes, ui_url


def _conclude(
    outcomes: list["DemoOutcome"], root: Path, ui_url: str, seconds: float, *, stays: bool, as_json: bool
) -> int:
    from cdp_pipelines.cli.demo.view import further_lines, print_final

    wrong = sum(1 for outcome in outcomes if outcome.differences())
    if as_json:
        output.print_json(
            {
                "ok": not wrong,
                "seconds": round(seconds, 1),
                "ui_url": ui_url or None,
                "files": str(root / "demo"),
                "requests": [outcome.facts() for outcome in outcomes],
            }
        )
        return FAILED if wrong else OK
    print_final(outcomes)
    verdict = f"{wrong} of {len(outcomes)} requests did NOT end" if wrong else f"All {len(outcomes)} requests ended"
    output.print_line(f"{verdict} as they must, in {seconds:.0f} seconds.")
    for line in further_lines(root, root / "demo", ui_url=ui_url, kept_running=stays):
        output.print_line(line)
    return FAILED if wrong else OK
