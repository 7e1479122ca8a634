import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cdp_pipelines.cli.local_environment import SETTING_PREFIXES
from cdp_pipelines.cli.main import app

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`cdp` in an empty folder with no settings at all."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(SETTING_PREFIXES)]:
        monkeypatch.delenv(name)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
