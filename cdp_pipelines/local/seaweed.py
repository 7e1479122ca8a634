"""The embedded S3: SeaweedFS, with keys set, so that signatures and expiry are enforced as on AWS.

Belongs here: starting it and making the bucket. Not here: the code's own client (`resources.object_store`).
"""

import http.client
import tempfile
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, ClassVar, Final

from cdp_pipelines.local.ports import HOST
from cdp_pipelines.local.server import Launch, LocalServer, NotReady, Place, required_program

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET: Final = "cdp-local"
REGION: Final = "us-east-1"
_ANSWER_SECONDS: Final = 5
_LONGEST_SOCKET_PATH: Final = 100
_FORBIDDEN: Final = 403


class Seaweed(LocalServer):
    """`weed mini`: master, volumes, filer, S3 and the worker that applies lifecycle rules, in one process.

    Its inner ports (all but `s3`) ask nobody for a password; they too listen on 127.0.0.1 only.
    """

    name: ClassVar[str] = "s3"
    port_names: ClassVar[tuple[str, ...]] = ("s3", "master", "volume", "filer", "admin")
    port_shadow: ClassVar[int] = 10_000
    """gRPC; the worker looks for the admin server there whatever `-admin.port.grpc` says."""

    def prepare(self, place: Place) -> Launch:
        """See `LocalServer.prepare`."""
        program = required_program("weed", "SeaweedFS")
        place.settings.setdefault("access_key_id", f"LOCAL{token_hex(8).upper()}")
        place.settings.setdefault("secret_access_key", token_hex(20))
        place.data.mkdir(parents=True, exist_ok=True)
        argv = [
            str(program), "mini", f"-dir={place.data}", f"-ip={HOST}", f"-ip.bind={HOST}", f"-bucket={BUCKET}",
            "-master.telemetry=false", "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
            # A bucket that is not there is an error on AWS.
            "-s3.autoCreateBucket=false",
            "-master.volumeSizeLimitMB=64", "-volume.max=200",
            *_port_arguments(place), *_socket_arguments(place),
        ]  # fmt: skip
        environment = {
            "AWS_ACCESS_KEY_ID": place.settings["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": place.settings["secret_access_key"],
        }
        return Launch(argv=argv, directory=place.data, environment=environment)

    def check(self, place: Place) -> None:
        """See `LocalServer.check`."""
        from botocore.exceptions import BotoCoreError, ClientError

        _check_unsigned_is_refused(place)
        client = _client(place)
        try:
            client.head_bucket(Bucket=BUCKET)
        except (BotoCoreError, ClientError) as exc:
            raise NotReady("the bucket is not there") from exc
        finally:
            client.close()

    def variables(self, place: Place) -> dict[str, str]:
        """See `LocalServer.variables`."""
        return {
            "CDP_S3_ENDPOINT_URL": _endpoint(place),
            "CDP_S3_BUCKET": BUCKET,
            "AWS_ACCESS_KEY_ID": place.settings["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": place.settings["secret_access_key"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def address(self, place: Place) -> str:
        """See `LocalServer.address`."""
        return f"{_endpoint(place)} (bucket {BUCKET})"

    def tidy(self, place: Place) -> None:
        """Remove the sockets that a killed server leaves among the temporary files."""
        numbers = {str(port) for port in self.all_ports(place.ports)}
        for path in Path(tempfile.gettempdir()).glob("seaweedfs-*.sock"):
            if path.stem.rsplit("-", 1)[-1] in numbers:
                path.unlink(missing_ok=True)


def _endpoint(place: Place) -> str:
    return f"http://{HOST}:{place.ports['s3']}"


def _port_arguments(place: Place) -> list[str]:
    shadow = Seaweed.port_shadow
    plain = [f"-{name}.port={port}" for name, port in place.ports.items()]
    return plain + [f"-{name}.port.grpc={port + shadow}" for name, port in place.ports.items()]


def _socket_arguments(place: Place) -> list[str]:
    """Sockets beside the data where the path is not too long for one, else where the server puts them by itself."""
    sockets = {name: str(place.data / f"{name}.sock") for name in ("s3", "filer")}
    short = all(len(path) < _LONGEST_SOCKET_PATH for path in sockets.values())
    return [f"-{name}.localSocket={path}" for name, path in sockets.items()] if short else []


def _check_unsigned_is_refused(place: Place) -> None:
    connection = http.client.HTTPConnection(HOST, place.ports["s3"], timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", f"/{BUCKET}")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as exc:
        raise NotReady("S3 does not answer") from exc
    finally:
        connection.close()
    if status != _FORBIDDEN:
        raise NotReady(f"S3 answers an unsigned request with {status} instead of {_FORBIDDEN}")


def _client(place: Place) -> "S3Client":
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=_ANSWER_SECONDS,
        read_timeout=_ANSWER_SECONDS,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
        proxies={},
    )
    session = boto3.Session(
        aws_access_key_id=place.settings["access_key_id"],
        aws_secret_access_key=place.settings["secret_access_key"],
        region_name=REGION,
    )
    return session.client("s3", endpoint_url=_endpoint(place), config=config)
