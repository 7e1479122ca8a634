"""Why an export failed or was refused, as its user is told: one sentence for each error code (SPEC 2).

Belongs here: the table from code to sentence. What happened to the person and nothing else: no setting, host, code,
path or id, and nothing that only an operator can do. Codes and causes are in `error.message`, the log and the alert.
A code that is not here gets a sentence that is true of all.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cdp_pipelines.domain.people_words import Words, in_language

ANY_FAILURE: Final = Words(
    "Something went wrong on our side. Our team has been told.",
    "Terjadi kesalahan di pihak kami. Tim kami sudah diberi tahu.",
)
_STORAGE: Final = Words(
    "The file could not be stored, because of a problem on our side. Our team has been told.",
    "File tidak dapat disimpan karena kendala di pihak kami. Tim kami sudah diberi tahu.",
)
_READING: Final = Words(
    "Your data could not be read, because of a problem on our side. Our team has been told.",
    "Data Anda tidak dapat dibaca karena kendala di pihak kami. Tim kami sudah diberi tahu.",
)
_SETUP: Final = Words(
    "Exports are not set up completely on our side. Our team has been told.",
    "Pengaturan ekspor di pihak kami belum lengkap. Tim kami sudah diberi tahu.",
)
_MAIL: Final = Words(
    "The email with the file could not be sent. Our team has been told.",
    "Email berisi file tidak dapat dikirim. Tim kami sudah diberi tahu.",
)
_ADDRESS: Final = Words(
    "The email could not be sent to the address that the request gives.",
    "Email tidak dapat dikirim ke alamat yang tercantum dalam permintaan.",
)
_SWITCHED_OFF: Final = Words(
    "Exports are not available for your company.", "Ekspor tidak tersedia untuk perusahaan Anda."
)
_REQUEST: Final = Words(
    "The export was asked for in a way that cannot be understood.", "Permintaan ekspor tidak dapat dipahami."
)
_TEMPLATE: Final = Words(
    "The template of this export cannot be used any more.", "Templat ekspor ini tidak dapat digunakan lagi."
)
_SCHEDULE: Final = Words("The schedule of this export cannot be used.", "Jadwal ekspor ini tidak dapat digunakan.")
_TOO_LARGE: Final = Words(
    "The file would be larger than its format allows. Choose fewer rows or fields, or another format.",
    "File akan lebih besar daripada yang diizinkan formatnya. Pilih lebih sedikit baris atau kolom, atau format lain.",
)

_REQUEST_FAULTS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "FLAG_DISABLED": _SWITCHED_OFF,
        "company_not_found": _SWITCHED_OFF,
        "FORBIDDEN": Words(
            "You do not have the permission to export customers.",
            "Anda tidak memiliki izin untuk mengekspor pelanggan.",
        ),
        "EXPORT_REQUEST_INVALID": _REQUEST,
        "REQUEST_ID_USED": Words(
            "The same export was already asked for earlier.", "Ekspor yang sama sudah pernah diminta sebelumnya."
        ),
        "EXPORT_SELECTION_MODE_INVALID": _REQUEST,
        "EXPORT_LIMIT_EXCEEDED": Words(
            "More customers were chosen than one export may hold.",
            "Pelanggan yang dipilih lebih banyak daripada yang dapat dimuat satu ekspor.",
        ),
        "EXPORT_FORMAT_INVALID": Words(
            "The file format that was chosen is not available.", "Format file yang dipilih tidak tersedia."
        ),
        "EXPORT_RATE_LIMIT_EXCEEDED": Words(
            "Your company has asked for too many exports within a short time. Please wait a while.",
            "Perusahaan Anda meminta terlalu banyak ekspor dalam waktu singkat. Mohon tunggu beberapa saat.",
        ),
        "LAYOUT_NOT_FOUND": Words(
            "The layout that the export uses does not exist any more.",
            "Tata letak yang digunakan ekspor ini sudah tidak ada.",
        ),
        "NO_USABLE_FIELD": Words(
            "None of the fields that were chosen exists, or may be exported.",
            "Tidak satu pun kolom yang dipilih tersedia atau boleh diekspor.",
        ),
        "NO_CONTACT_FOUND": Words(
            "None of the customers that were chosen could be exported.",
            "Tidak satu pun pelanggan yang dipilih dapat diekspor.",
        ),
        "invalid_export_object": Words(
            "What was chosen to be exported is not known.", "Jenis data yang dipilih untuk diekspor tidak dikenal."
        ),
        "invalid_export_fields": Words(
            "Some of the fields that were chosen do not exist.", "Beberapa kolom yang dipilih tidak ada."
        ),
        "invalid_export_order": Words(
            "The rows cannot be sorted as was asked.", "Baris tidak dapat diurutkan seperti yang diminta."
        ),
        "invalid_export_filters": Words(
            "One of the filters that were chosen cannot be used.",
            "Salah satu filter yang dipilih tidak dapat digunakan.",
        ),
        "invalid_export_format": Words(
            "The file format that was chosen is not available.", "Format file yang dipilih tidak tersedia."
        ),
        "invalid_export_parameters": _REQUEST,
        "invalid_export_template": _TEMPLATE,
        "TEMPLATE_INVALID": _TEMPLATE,
        "invalid_export_schedule": _SCHEDULE,
        "schedule_too_frequent": _SCHEDULE,
        "schedule_refused": _SCHEDULE,
        "SCHEDULE_INVALID": _SCHEDULE,
        "XLSX_TOO_MANY_COLUMNS": _TOO_LARGE,
        "XLSX_TOO_MANY_ROWS": _TOO_LARGE,
        "EMAIL_INVALID": _ADDRESS,
        "SMTP_ADDRESS_UNSUPPORTED": _ADDRESS,
        "CANCELED": Words("The export was stopped on request.", "Ekspor dihentikan atas permintaan."),
    }
)
"""What whoever asked can do something about: the messages of these errors are about the request, and for programs."""

FAILURE_WORDS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        **_REQUEST_FAULTS,
        "INTERNAL_ERROR": ANY_FAILURE,
        "RUN_DIED": Words(
            "The export was interrupted and could not be finished.",
            "Ekspor terhenti di tengah jalan dan tidak dapat diselesaikan.",
        ),
        "RUN_CANCELED": Words("The export was stopped by an operator.", "Ekspor dihentikan oleh operator."),
        # Of a request or of the data: the message may be either's, so it is not for programs.
        "DOCUMENT_UNREADABLE": Words(
            "The request, or some of the data that it asks for, cannot be read.",
            "Permintaan ini, atau sebagian data yang dimintanya, tidak dapat dibaca.",
        ),
        "REQUEST_NEVER_TAKEN_IN": Words(
            "The export was begun in a way that is not allowed, so it was not carried out.",
            "Ekspor dimulai dengan cara yang tidak diizinkan, sehingga tidak dijalankan.",
        ),
        "MONGO_FAILED": _READING,
        "MONGO_REFUSED": _READING,
        "MONGO_UNAVAILABLE": _READING,
        "ROWS_MISSING": Words(
            "Not all of your rows could be read, so no file was made.",
            "Tidak semua baris Anda dapat dibaca, sehingga file tidak dibuat.",
        ),
        "MONGO_URI_INVALID": _SETUP,
        "OBJECT_KEY_FOREIGN": _STORAGE,
        "OBJECT_NOT_FOUND": _STORAGE,
        "OBJECT_STORE_BUCKET_MISSING": _STORAGE,
        "OBJECT_STORE_REFUSED": _STORAGE,
        "OBJECT_STORE_UNAVAILABLE": _STORAGE,
        "FILE_NOT_WRITTEN": _STORAGE,
        "SETTING_INVALID": _SETUP,
        "SETTING_MISSING": _SETUP,
        "SMTP_REFUSED": _MAIL,
        "SMTP_TOO_LARGE": Words(
            "The email with the file was too large to be sent. Our team has been told.",
            "Email berisi file terlalu besar untuk dikirim. Tim kami sudah diberi tahu.",
        ),
        "SMTP_OUTCOME_UNKNOWN": _MAIL,
        "SMTP_UNAVAILABLE": _MAIL,
    }
)


def failure_words(code: object) -> Words:
    """What a person is told of an error with this code."""
    return FAILURE_WORDS.get(code, ANY_FAILURE) if isinstance(code, str) else ANY_FAILURE


def failure_reason(error: object, locale: object) -> str | None:
    """The sentence about the `error` of a document, in the language of a locale; None if there is no error."""
    if not isinstance(error, Mapping):
        return None
    return in_language(failure_words(error.get("code")), locale)


def program_message(error: Mapping[str, Any], locale: object) -> object:
    """What a customer's program is told: the message where it is about the request, else what a person is told."""
    code = error.get("code")
    return error.get("message") if code in _REQUEST_FAULTS else failure_reason(error, locale)
