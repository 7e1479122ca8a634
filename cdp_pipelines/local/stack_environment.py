"""What a shell and Dagster need to find the stack.

Belongs here: the file for a shell to source, and Dagster's home folder. Not here: the variables (each server's own).
"""

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import cdp_pipelines

# They would win over, or be added to, the keys in the environment of this stack.
_IN_THE_WAY: Final = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE")


def shell_file(variables: Mapping[str, str]) -> str:
    """Lines for a POSIX shell to source."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    return "\n".join([f"unset {' '.join(_IN_THE_WAY)}", *lines]) + "\n"


def make_dagster_home(home: Path) -> None:
    """Make the folder, with the `dagster.yaml` of the working folder, else the one beside the package."""
    home.mkdir(parents=True, exist_ok=True)
    beside = Path(cdp_pipelines.__file__ or "").parent.parent
    for folder in (Path.cwd(), beside):
        if (folder / "dagster.yaml").is_file():
            shutil.copyfile(folder / "dagster.yaml", home / "dagster.yaml")
            return
