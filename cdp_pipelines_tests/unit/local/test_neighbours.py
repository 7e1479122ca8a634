"""Which ports a stack leaves to the others of this machine."""

import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.local.neighbours import ports_elsewhere
from cdp_pipelines.local.state import ServerState, save_state


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files without the stacks that this machine really has."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def choose(root: Path, ports: Mapping[str, int]) -> set[int]:
    """What `root` saw of the others when it chose these ports."""
    with ports_elsewhere(root) as elsewhere:
        root.mkdir(exist_ok=True)
        save_state(root / "state.json", {"s": ServerState(ports=dict(ports))})
    return elsewhere


def test_a_stack_sees_what_others_chose_and_not_its_own(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    assert choose(a, {"x": 1, "y": 2}) == set()
    assert choose(b, {"x": 3}) == {1, 2}
    assert choose(a, {"x": 4}) == {3}
    assert choose(b, {"x": 3}) == {4}


def test_a_stack_that_is_gone_is_forgotten(tmp_path: Path, temporary_files: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    choose(a, {"x": 1})
    (a / "state.json").unlink()
    assert choose(b, {"x": 1}) == set()
    (listed,) = temporary_files.glob("*/stacks")
    assert listed.read_text() == str(b)


def test_one_whose_state_cannot_be_read_has_no_ports(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    choose(a, {"x": 1})
    (a / "state.json").write_text("{")
    assert choose(b, {"x": 1}) == set()


def test_two_never_choose_at_the_same_time(tmp_path: Path) -> None:
    seen: list[set[int]] = []

    def second() -> None:
        seen.append(choose(tmp_path / "b", {"x": 2}))

    other = threading.Thread(target=second)
    with ports_elsewhere(tmp_path / "a"):
        other.start()
        other.join(0.2)
        assert seen == []
        (tmp_path / "a").mkdir()
        save_state(tmp_path / "a" / "state.json", {"s": ServerState(ports={"x": 1})})
    other.join()
    assert seen == [{1}]


def test_a_folder_that_somebody_else_put_there_is_refused(tmp_path: Path, temporary_files: Path) -> None:
    (temporary_files / f"cdp-local-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(ConfigurationError, match="another user's"), ports_elsewhere(tmp_path / "a"):
        raise AssertionError
