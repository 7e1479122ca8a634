"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

DEFAULT_ROOT = Path(".local")

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON to standard output, nothing else.")]
RootOption: TypeAlias = Annotated[
    Path,
    typer.Option("--root", envvar="CDP_LOCAL_ROOT", help="Folder of the local servers: their data, logs and settings."),
]
JobArgument: TypeAlias = Annotated[str, typer.Argument(metavar="JOB", help="The export's id, a uuid or exp_….")]
TimeoutOption: TypeAlias = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait at most.")]
DEFAULT_TIMEOUT_SECONDS = 900.0
