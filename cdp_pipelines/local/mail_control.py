"""Telling the local mail server to fail on purpose, through a small file that it reads before every step.

Belongs here: the file's form, written and read. Not here: SMTP (`mail_server`).
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

MailStage: TypeAlias = Literal["hello", "sender", "recipient", "data", "stored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFailure:
    """What goes wrong at one stage.

    `data`: the message came in whole and is not kept. `stored`: it is kept, and only then things go wrong, so that the
    client cannot know. `answer` is a whole SMTP answer such as `451 4.3.0 Try again later`; "" keeps the usual one.
    `delay_seconds` pass first; `drop` closes the connection instead of answering. `times`: how often; None: until
    cleared. `recipient`: only messages to this address (no effect on `hello` and `sender`).
    """

    stage: MailStage
    answer: str = ""
    delay_seconds: float = 0.0
    drop: bool = False
    times: int | None = None
    recipient: str | None = None


class MailControl:
    """The control file, for tests."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fail(self, *failures: MailFailure) -> None:
        """From now on these failures and no others; counting starts anew."""
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps([asdict(failure) for failure in failures]), encoding="utf-8")
        new.replace(self._path)

    def clear(self) -> None:
        """Everything works again."""
        self._path.unlink(missing_ok=True)


class MailFaults:
    """The control file as the server sees it: read again whenever it was replaced, with what is left of `times`."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._failures: list[MailFailure] = []
        self._used: list[int] = []

    def next_failure(self, stage: MailStage, recipients: list[str]) -> MailFailure | None:
        """The failure that is due now, which uses it up once; None when all goes well."""
        self._read_again()
        for index, failure in enumerate(self._failures):
            if failure.stage != stage or (failure.times is not None and self._used[index] >= failure.times):
                continue
            if failure.recipient is None or stage in ("hello", "sender") or failure.recipient in recipients:
                self._used[index] += 1
                return failure
        return None

    def _read_again(self) -> None:
        found = _version(self._path)
        if found == self._version:
            return
        self._version = found
        self._failures = []
        if found is not None and self._path is not None:
            documents = json.loads(self._path.read_text(encoding="utf-8"))
            self._failures = [MailFailure(**document) for document in documents]
        self._used = [0] * len(self._failures)


def _version(path: Path | None) -> tuple[int, int] | None:
    try:
        found = os.stat(path) if path is not None else None  # noqa: PTH116 - one call that says all
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_mtime_ns) if found is not None else None
