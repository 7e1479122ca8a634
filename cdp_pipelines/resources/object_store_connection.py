"""How the object store is reached: address, region, credentials, time limits, attempts.

Belongs here: building the S3 clients, and saying what they use. Not here: what is done with them (`object_store`).
"""

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure
from cdp_pipelines.resources.object_store_errors import bucket_missing, translating
from cdp_pipelines.resources.object_store_expiry import keeps_versions

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.config import Config
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 60
ATTEMPTS: Final = 4
"""The first and three more, with the driver's backoff between them (SPEC 3.4)."""

_REGION_OF_COMPATIBLE_STORES: Final = "us-east-1"


@cache
def _models() -> Any:
    """The driver's descriptions of AWS, read once a process and not for every store that is opened (50 ms of CPU)."""
    from botocore.loaders import create_loader

    return create_loader()


def _session(**settings: str | None) -> "Session":
    import boto3
    from botocore.session import get_session

    driver = get_session()
    # Where a profile or the environment names another folder to read from, that holds.
    if driver.get_config_variable("data_path"):
        return boto3.Session(botocore_session=driver, **settings)
    models = _models()
    driver.register_component("data_loader", models)
    session = boto3.Session(botocore_session=driver, **settings)
    # Every session adds the same folder of its own.
    models.search_paths[:] = dict.fromkeys(models.search_paths)
    return session


class StoreConnection:
    """An S3 client for one bucket, and one that signs links for the address that readers use.

    Credentials given here win; else the driver's usual chain (`AWS_*`, profile, role) is asked when first needed.

    Raises:
        ConfigurationError: an address is not a plain http(s) URL, no region is set for AWS, or the profile is unknown.
    """

    def __init__(
        self,
        *,
        bucket: str,
        endpoint_url: str = "",
        public_endpoint_url: str = "",
        region: str = "",
        access_key_id: str = "",
        secret_access_key: str = "",
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.bucket = bucket
        self.is_aws = not endpoint_url
        self._endpoint_url = _plain_url("CDP_S3_ENDPOINT_URL", endpoint_url)
        public_url = _plain_url("CDP_S3_PUBLIC_ENDPOINT_URL", public_endpoint_url) or self._endpoint_url
        with translating("reading the AWS settings"):
            self._session = _session(
                aws_access_key_id=access_key_id or None,
                aws_secret_access_key=secret_access_key or None,
                region_name=region or None,
            )
        self.region = self._session.region_name or ("" if self.is_aws else _REGION_OF_COMPATIBLE_STORES)
        if not self.region:
            raise ConfigurationError("SETTING_MISSING", "AWS_DEFAULT_REGION is not set: name the bucket's region.")
        config = self._config(connect_seconds, read_seconds, attempts)
        self.client = self._build_client(self._endpoint_url, config)
        self.signing_client = (
            self.client if public_url == self._endpoint_url else self._build_client(public_url, config)
        )

    def _config(self, connect_seconds: float, read_seconds: float, attempts: int) -> "Config":
        from botocore.config import Config

        return Config(
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            retries={"mode": "standard", "total_max_attempts": attempts},
            signature_version="s3v4",
            # A compatible store is usually one host name, and not all of them know AWS's newer trailing checksums.
            s3={"addressing_style": "virtual" if self.is_aws else "path"},
            request_checksum_calculation="when_supported" if self.is_aws else "when_required",
            response_checksum_validation="when_supported" if self.is_aws else "when_required",
            user_agent_extra="cdp_pipelines",
        )

    def _build_client(self, endpoint_url: str, config: "Config") -> "S3Client":
        with translating("reading the AWS settings"):
            return self._session.client("s3", endpoint_url=endpoint_url or None, region_name=self.region, config=config)

    def credentials(self) -> Any:
        """The driver's credentials object, refreshed by itself while it can be; None when there are none."""
        with translating("looking for credentials"):
            return self._session.get_credentials()

    def credentials_end(self) -> datetime | None:
        """When the present credentials stop working (UTC); None for lasting ones and for bare tokens, which do not say.

        botocore keeps the instant in a private attribute of its refreshable credentials and offers no public one.
        """
        end = getattr(self.credentials(), "_expiry_time", None)
        return end.astimezone(UTC) if isinstance(end, datetime) else None

    def describe(self) -> dict[str, str]:
        """Endpoint, bucket, region and where the credentials come from; no secrets, no network."""
        credentials = self.credentials()
        end = self.credentials_end()
        return {
            "endpoint": self._endpoint_url or "AWS",
            "bucket": self.bucket,
            "region": self.region,
            "credentials": str(getattr(credentials, "method", "")) or "none found",
            "credentials end": end.isoformat(timespec="seconds") if end else "never",
        }

    def check(self) -> dict[str, str]:
        """Reach the bucket and describe it as it is.

        Raises:
            ConfigurationError: `OBJECT_STORE_BUCKET_MISSING`; or `SETTING_INVALID`, the bucket lies in another region
                than the one set, and links would be dead.
            TransientFailure, PermanentFailure: as every call of the object store.
        """
        try:
            with translating("looking for the bucket"):
                answer = self.client.head_bucket(Bucket=self.bucket)
        except PermanentFailure as exc:
            if exc.code != "OBJECT_NOT_FOUND":
                raise
            # An answer to HEAD has no body, so the store cannot say "no such bucket" here.
            raise bucket_missing() from exc
        actual = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", self.region)
        if self.is_aws and actual != self.region:
            raise ConfigurationError(
                "SETTING_INVALID", f"The bucket lies in {actual}, but AWS_DEFAULT_REGION says {self.region}."
            )
        versions = "yes: deleted files live on as old versions" if keeps_versions(self.client, self.bucket) else "no"
        return {**self.describe(), "keeps old versions": versions}

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()
        if self.signing_client is not self.client:
            self.signing_client.close()


def _plain_url(name: str, url: str) -> str:
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ConfigurationError(
            "SETTING_INVALID", f"{name} must be an address such as https://s3.example.com:9000, without user or query."
        )
    return url.rstrip("/")
