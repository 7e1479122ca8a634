"""The public inputs that tests share with other projects; absent outside the house, and then the tests are skipped."""

import json
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).resolve().parents[3] / "shared" / "corpora"


def load_corpus(name: str) -> list[Any]:
    """Rows of `../shared/corpora/{name}` beside the repository; one skipped row with the reason if it is not there."""
    path = _FOLDER / name
    if not path.is_file():
        reason = f"{name} is not in shared/corpora beside the repository"
        return [pytest.param({}, marks=pytest.mark.skip(reason=reason))]
    rows: list[Any] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def load_object(name: str) -> dict[str, Any]:
    """A corpus that is one object; the calling test is skipped with the reason if it is not there."""
    path = _FOLDER / name
    if not path.is_file():
        pytest.skip(f"{name} is not in shared/corpora beside the repository")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
