from pathlib import Path
from typing import Any

import pytest

from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.export_download import result_of, target_path

RESULT: dict[str, Any] = {"key": "private/k", "url": "http://l", "file_name": "export.xlsx", "size_bytes": 1}


@pytest.mark.parametrize("result", [None, {}, "text", {"key": "k"}, {"url": "u"}])
def test_a_job_without_a_file_has_nothing_to_download(result: object) -> None:
    with pytest.raises(Refused) as caught:
        result_of({"status": "failed", "result": result})
    assert caught.value.code == "EXPORT_HAS_NO_FILE"


def test_the_file_goes_where_it_is_told(tmp_path: Path) -> None:
    assert target_path(RESULT, tmp_path, overwrite=False) == tmp_path / "export.xlsx"
    assert target_path(RESULT, tmp_path / "mine.xlsx", overwrite=False) == tmp_path / "mine.xlsx"
    assert target_path({**RESULT, "file_name": "../../etc/x"}, tmp_path, overwrite=False) == tmp_path / "x"
    assert target_path({**RESULT, "file_name": None}, tmp_path, overwrite=False) == tmp_path / "export"


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "export.xlsx").touch()
    with pytest.raises(Refused, match="--force"):
        target_path(RESULT, tmp_path, overwrite=False)
    assert target_path(RESULT, tmp_path, overwrite=True) == tmp_path / "export.xlsx"
