import json

import pytest
import typer
from typer.testing import CliRunner

from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.group import CdpGroup
from cdp_pipelines.domain.errors import CdpError, TransientFailure

ERRORS: dict[str, BaseException] = {
    "interrupted": KeyboardInterrupt(),
    "aborted": typer.Abort(),
    "failed": TransientFailure("MONGO_UNAVAILABLE", "It did not answer.", details={"tries": 5}),
    "refused": Refused("FILE_EXISTS", "It is there."),
    "unknown": RuntimeError("mongodb://user:s3cret@host/"),
    "told": typer.Exit(7),
}
app = typer.Typer(cls=CdpGroup, pretty_exceptions_enable=False)


@app.callback()
def root(debug: bool = False) -> None:
    """A group, as `cdp` is."""


@app.command("raise")
def raise_it(name: str, json: bool = False) -> None:
    raise ERRORS[name]


@pytest.mark.parametrize(
    ("name", "exit_code", "sentence"),
    [
        ("interrupted", 130, "Interrupted."),
        ("aborted", 130, "Interrupted."),
        ("failed", 1, "✘ MONGO_UNAVAILABLE: It did not answer."),
        ("refused", 2, "✘ FILE_EXISTS: It is there."),
        ("unknown", 1, "RuntimeError"),
        ("told", 7, ""),
    ],
)
def test_every_error_is_a_sentence_and_an_exit_code(name: str, exit_code: int, sentence: str) -> None:
    result = CliRunner().invoke(app, ["raise", name])
    assert result.exit_code == exit_code
    assert sentence in result.stderr
    assert result.stdout == ""
    assert "s3cret" not in result.output


def test_json_holds_code_message_and_details() -> None:
    result = CliRunner().invoke(app, ["raise", "failed", "--json"])
    assert json.loads(result.stdout) == {
        "error": {"code": "MONGO_UNAVAILABLE", "message": "It did not answer.", "details": {"tries": 5}}
    }


@pytest.mark.parametrize("name", ["failed", "unknown"])
def test_debug_lets_the_error_through(name: str) -> None:
    result = CliRunner().invoke(app, ["--debug", "raise", name])
    assert isinstance(result.exception, CdpError | RuntimeError)
    assert not isinstance(result.exception, SystemExit)
