"""Texts of a CRM whose database does not say how they are written (its encoding is SQL_ASCII).

PostgreSQL then neither checks nor converts anything: bytes of UTF-8 and of an older encoding lie side by side. Each
text is read as UTF-8, and as Latin-1 where it is none: Latin-1 has a character for every byte, so that no row is lost
or holds up others; how many there were is counted. Databases of any other encoding are converted by the server.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from psycopg import Connection

UNKNOWN_ENCODING: Final = "SQL_ASCII"
_TEXT_TYPES: Final = ("text", "varchar", "bpchar")


def is_unknown(connection: "Connection[Any]") -> bool:
    """Whether the database does not say how its texts are written."""
    return connection.info.parameter_status("server_encoding") == UNKNOWN_ENCODING


def decoded(data: bytes) -> tuple[str, bool]:
    """The text, and whether it had to be read as Latin-1."""
    try:
        return data.decode(), False
    except UnicodeDecodeError:
        return data.decode("latin-1"), True


def read_texts_tolerantly(connection: "Connection[Any]", on_latin1: Callable[[], None]) -> None:
    """Let this connection read texts of unknown encoding; `on_latin1` is told of each that is no UTF-8."""
    from psycopg.adapt import Loader
    from psycopg.pq import Format

    class TextLoader(Loader):
        def load(self, data: Any) -> str:
            text, is_latin1 = decoded(bytes(data))
            if is_latin1:
                on_latin1()
            return text

    class BinaryTextLoader(TextLoader):
        format = Format.BINARY

    for name in _TEXT_TYPES:
        connection.adapters.register_loader(name, TextLoader)
        connection.adapters.register_loader(name, BinaryTextLoader)
