"""Where the S3 driver's exceptions become this project's, so that nothing above the object store knows boto3.

Belongs here: reading an S3 error and naming it. Not here: the calls themselves (`object_store`, `object_store_expiry`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cdp_pipelines.domain.errors import CdpError, ConfigurationError, PermanentFailure, TransientFailure

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_TRANSIENT_CODES: Final = frozenset(
    {
        "InternalError",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
    }
)
_MISSING_CODES: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_UNSUPPORTED_CODES: Final = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
_ENCRYPTION_REFUSALS: Final = _UNSUPPORTED_CODES | {
    "InvalidArgument",
    "InvalidRequest",
    "InvalidEncryptionAlgorithmError",
}
_TOO_MANY_REQUESTS: Final = 429
_SERVER_FAULT: Final = 500


@contextmanager
def translating(doing: str) -> Iterator[None]:
    """Translate the driver's errors while `doing` ("uploading a file"). Texts carry no key, no signature, no secret.

    Raises:
        TransientFailure: `OBJECT_STORE_UNAVAILABLE`, no good answer came within the bounded attempts.
        PermanentFailure: `OBJECT_NOT_FOUND`, or `OBJECT_STORE_REFUSED` with the store's own code in `details`.
        ConfigurationError: `OBJECT_STORE_BUCKET_MISSING`, or `SETTING_MISSING` when there are no credentials.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        raise _from_answer(exc, doing) from exc
    except Boto3Error as exc:
        # boto3's transfer manager wraps the store's answer in an error of its own that has only its text.
        cause = exc.__cause__ or exc.__context__
        raise (_from_answer(cause, doing) if isinstance(cause, ClientError) else _unavailable(doing, exc)) from exc
    except BotoCoreError as exc:
        raise _from_driver(exc, doing) from exc


def is_unsupported(exc: CdpError) -> bool:
    """Whether the store said that it does not know this operation at all."""
    return exc.details.get("store_code") in _UNSUPPORTED_CODES


def refuses_encryption(exc: CdpError) -> bool:
    """Whether a store without encryption of its own may have meant our asking for it."""
    return exc.details.get("store_code") in _ENCRYPTION_REFUSALS


def bucket_missing() -> ConfigurationError:
    """`OBJECT_STORE_BUCKET_MISSING`."""
    return ConfigurationError(
        "OBJECT_STORE_BUCKET_MISSING", "The bucket named by CDP_S3_BUCKET does not exist in this object store."
    )


def _from_answer(exc: "ClientError", doing: str) -> CdpError:
    error = exc.response.get("Error", {})
    code = error.get("Code", "") or "unknown"
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    details = {"store_code": code, "http_status": status}
    if code in _UNSUPPORTED_CODES:
        return PermanentFailure(
            "OBJECT_STORE_REFUSED", f"The object store does not support {doing} ({code}).", details=details
        )
    if code in _TRANSIENT_CODES or status >= _SERVER_FAULT or status == _TOO_MANY_REQUESTS:
        return TransientFailure(
            "OBJECT_STORE_UNAVAILABLE",
            f"The object store kept failing while {doing} ({code}, HTTP {status}). Try again later.",
            details=details,
        )
    if code == "NoSuchBucket":
        return bucket_missing()
    if code in _MISSING_CODES:
        return PermanentFailure("OBJECT_NOT_FOUND", f"The file was not there while {doing}.", details=details)
    return PermanentFailure(
        "OBJECT_STORE_REFUSED",
        f"The object store refused {doing} ({code}, HTTP {status}). "
        "Check the AWS_* credentials, their rights on the bucket, AWS_DEFAULT_REGION and the clock (cdp doctor).",
        details=details,
    )


def _from_driver(exc: Exception, doing: str) -> CdpError:
    from botocore.exceptions import (
        NoCredentialsError,
        ParamValidationError,
        PartialCredentialsError,
        ProfileNotFound,
        ValidationError,
    )

    if isinstance(exc, NoCredentialsError | PartialCredentialsError | ProfileNotFound):
        return ConfigurationError(
            "SETTING_MISSING",
            f"No credentials for the object store while {doing}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "AWS_PROFILE, or give the machine a role.",
        )
    if isinstance(exc, ParamValidationError | ValidationError):
        return PermanentFailure("OBJECT_STORE_REFUSED", f"The object store's client refused {doing}: a bad parameter.")
    return _unavailable(doing, exc)


def _unavailable(doing: str, exc: Exception) -> TransientFailure:
    return TransientFailure(
        "OBJECT_STORE_UNAVAILABLE",
        f"The object store did not answer while {doing} ({type(exc).__name__}). "
        "Check CDP_S3_ENDPOINT_URL and that the store is up (cdp doctor).",
    )
