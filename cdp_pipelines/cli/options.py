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
JobArgument: TypeAlias = Annotated[str, typer.Argument(metavar="JOB", help="The export's job_id, a uuid.")]
