"""The pipeline's services, opened for one command and closed after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cdp_pipelines.cli.local_environment import adopt_local_environment

if TYPE_CHECKING:
    from cdp_pipelines.pipelines.contact_export.services import ContactExportResource, ExportServices
    from cdp_pipelines.pipelines.entity_export.services import EntityServices
    from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
    from cdp_pipelines.pipelines.migrations.services import MigrationServices


@contextmanager
def export_services() -> Iterator["ExportServices"]:
    """The same stores and outside systems that runs use, set up from the environment; closed when the block is left.

    Raises:
        ConfigurationError: a setting is missing or wrong.
    """
    adopt_local_environment()
    resource = contact_export_resource()
    try:
        yield resource.services()
    finally:
        close(resource)


@contextmanager
def entity_services() -> Iterator["EntityServices"]:
    """The stores and outside systems of entity exports, as their runs use them; closed when the block is left.

    Raises:
        ConfigurationError: a setting of MongoDB is missing or wrong; the others are read when they are needed.
    """
    from cdp_pipelines.pipelines.entity_export.services import from_environment

    adopt_local_environment()
    resource = from_environment()
    try:
        yield resource.services()
    finally:
        resource.close()


@contextmanager
def migration_services(kind: "MigrationKind") -> Iterator["MigrationServices"]:
    """The stores and outside systems of one migration, as its runs use them; closed when the block is left.

    Raises:
        ConfigurationError: a setting of MongoDB is missing or wrong; the others are read when they are needed.
    """
    from cdp_pipelines.pipelines.migrations.services import from_environment

    adopt_local_environment()
    resource = from_environment()
    try:
        yield resource.services(kind)
    finally:
        resource.close()


def contact_export_resource() -> "ContactExportResource":
    """Resources that take every setting from the environment, as the code location does."""
    from cdp_pipelines.pipelines.contact_export.services import from_environment

    return from_environment()


def close(resource: "ContactExportResource") -> None:
    """Give the connections back."""
    resource.object_store.close()
    resource.cdp_mongo.close()
