"""The CDP's MongoDB: one client a process, every option that matters set here.

Belongs here: connecting. Not here: what is read and written (`cdp_pipelines.stores`).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, PrivateAttr

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.environment import required_setting

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.database import Database

SERVER_SELECTION_MILLISECONDS = 5_000
SOCKET_MILLISECONDS = 60_000
POOL_CONNECTIONS = 10


def connect(uri: str, **options: Any) -> "MongoClient[dict[str, Any]]":
    """A client with bounded waits and UTC-aware dates, whose writes are confirmed when a crash cannot undo them.

    Whatever the URI says: a cursor that outlives the documents behind it would lose them. Nothing is contacted yet.

    Raises:
        ConfigurationError: `CDP_MONGO_URI` is not a MongoDB URI.
    """
    from pymongo import MongoClient
    from pymongo.errors import ConfigurationError as PymongoConfigurationError
    from pymongo.errors import InvalidURI

    # What the URI says holds; the driver would take ours instead.
    if "maxpoolsize" not in uri.lower():
        options.setdefault("maxPoolSize", POOL_CONNECTIONS)
    try:
        return MongoClient(
            uri,
            tz_aware=True,
            serverSelectionTimeoutMS=SERVER_SELECTION_MILLISECONDS,
            connectTimeoutMS=SERVER_SELECTION_MILLISECONDS,
            socketTimeoutMS=SOCKET_MILLISECONDS,
            appname="cdp_pipelines",
            w="majority",
            journal=True,
            uuidRepresentation="standard",
            # A BSON date beyond Python's calendar comes as DatetimeMS instead of failing the whole read.
            datetime_conversion="DATETIME_AUTO",
            # Go's driver writes texts that are no UTF-8; U+FFFD in one of them is better than no read at all.
            unicode_decode_error_handler="replace",
            **options,
        )
    except (InvalidURI, PymongoConfigurationError, ValueError) as exc:
        # The URI holds a password, so its text must not get into the message.
        raise ConfigurationError(
            "MONGO_URI_INVALID", "CDP_MONGO_URI is not a MongoDB URI such as mongodb://user:password@host:27017/"
        ) from exc


class CdpMongoResource(dg.ConfigurableResource[None]):
    """The CDP database. Settings: `CDP_MONGO_URI`, `CDP_MONGO_DB`."""

    uri: str = Field(default="", description="MongoDB connection string; empty: CDP_MONGO_URI.")
    database_name: str = Field(default="", description="The CDP's database; empty: CDP_MONGO_DB.")

    _client: Any = PrivateAttr(default=None)

    def database(self) -> "Database[dict[str, Any]]":
        """The database, connected once a process and only when first asked for.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        uri = required_setting("CDP_MONGO_URI", self.uri)
        database_name = required_setting("CDP_MONGO_DB", self.database_name)
        if self._client is None:
            self._client = connect(uri, **self.client_options())
        client: MongoClient[dict[str, Any]] = self._client
        return client[database_name]

    def client_options(self) -> dict[str, Any]:
        """Further options of the driver; a subclass may add, for instance, `event_listeners`."""
        return {}

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Close the connections of this process."""
        self.close()

    def close(self) -> None:
        """Close the connections, if there are any; the next use connects again."""
        if self._client is not None:
            self._client.close()
            self._client = None
