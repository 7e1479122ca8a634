from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cdp_pipelines_tests.integration.pipelines.harness import Db, Exports


@pytest.fixture
def make_exports(
    stack_env: Mapping[str, str], mongo_db: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Exports]]:
    """Makes a company with contacts; closed after the test."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, stack_env[name])
    made: list[Exports] = []

    def make(**options: Any) -> Exports:
        made.append(Exports(stack_env, mongo_db, tmp_path, **options))
        return made[-1]

    yield make
    for exports in made:
        exports.close()


@pytest.fixture
def exports(make_exports: Callable[..., Exports]) -> Exports:
    return make_exports()
