"""The words of the messages about an export, in each language they are written in.

Belongs here: sentences. Not here: which of them a message has (`messages`), how they look (`message_layout`).
A sentence is written so that no verb has to agree with a number.
"""

from dataclasses import dataclass
from typing import Final

from cdp_pipelines.domain.message_parts import ENGLISH_LANGUAGE, INDONESIAN_LANGUAGE, Language, language_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """One language. Braces are filled by `messages`; `customers` is a count with its noun, such as "3 customers"."""

    language: Language
    customer: str
    customers: str

    ready_title: str
    partial_title: str
    failed_title: str

    holds: str
    holds_nothing: str
    holds_partly: str
    holds_partly_hint: str
    first_of: str
    first_only: str
    attached: str
    linked: str
    failed: str
    reason: str
    try_again: str

    file: str
    in_file: str
    not_exported: str
    works_until: str
    reference: str
    download: str
    link_note: str
    link_note_without_end: str
    please_note: str
    and_more: str
    footer: str

    ready_notice: str
    partial_notice: str
    failed_notice: str
    until_notice: str


ENGLISH: Final = Texts(
    language=ENGLISH_LANGUAGE,
    customer="{count} customer",
    customers="{count} customers",
    ready_title="Your customer export is ready",
    partial_title="Your customer export is ready, with {customers} missing",
    failed_title="Your customer export failed",
    holds="The file {file} holds {customers}.",
    holds_nothing="No customer matched your selection, so the file {file} holds only the column headings.",
    holds_partly="The file {file} holds {count} of the {customers} you asked for.",
    holds_partly_hint="A customer that has been deleted, or that is not in your company's data, cannot be exported.",
    first_of="Only the first {count} of {total} matching customers are in the file. Narrow the filter to get the rest.",
    first_only="More customers matched than one file may hold: only the first {count} are in it. Narrow the filter to "
    "get the rest.",
    attached="The file is attached to this email. You can also download it with the link below.",
    linked="The file is too large to attach to an email, so please download it with the link below.",
    failed="The customer export you asked for could not be finished, and no file was made.",
    reason="What went wrong: {reason}",
    try_again="Please try again. If it fails again, contact support and give them the reference below.",
    file="File",
    in_file="Customers in the file",
    not_exported="Customers not exported",
    works_until="Link works until",
    reference="Reference",
    download="Download the file",
    link_note="The link works until {when}. Whoever has it can download the file, so please do not pass this email on.",
    link_note_without_end="Whoever has the link can download the file, so please do not pass this email on.",
    please_note="Please note",
    and_more="and {count} more",
    footer="You get this email because a customer export was asked for with your address. "
    "If that was not you, please tell your administrator.",
    ready_notice="{file} holds {customers}.",
    partial_notice="{file} holds {count} of the {customers} you asked for.",
    failed_notice="No file was made. The email we sent you says why.",
    until_notice="Download it until {when}.",
)

INDONESIAN: Final = Texts(
    language=INDONESIAN_LANGUAGE,
    customer="{count} pelanggan",
    customers="{count} pelanggan",
    ready_title="Ekspor pelanggan Anda sudah siap",
    partial_title="Ekspor pelanggan Anda sudah siap, tetapi {customers} tidak disertakan",
    failed_title="Ekspor pelanggan Anda gagal",
    holds="File {file} berisi {customers}.",
    holds_nothing="Tidak ada pelanggan yang cocok dengan pilihan Anda, sehingga file {file} hanya berisi judul kolom.",
    holds_partly="File {file} berisi {count} dari {customers} yang Anda minta.",
    holds_partly_hint="Pelanggan yang sudah dihapus, atau yang tidak ada dalam data perusahaan Anda, tidak dapat "
    "diekspor.",
    first_of="Hanya {count} pelanggan pertama dari {total} pelanggan yang cocok yang ada di dalam file. "
    "Persempit filter Anda untuk mendapatkan sisanya.",
    first_only="Pelanggan yang cocok lebih banyak daripada yang dapat dimuat satu file: hanya {count} pelanggan "
    "pertama yang ada di dalamnya. Persempit filter Anda untuk mendapatkan sisanya.",
    attached="File terlampir pada email ini. Anda juga dapat mengunduhnya melalui tautan di bawah.",
    linked="File terlalu besar untuk dilampirkan pada email, jadi silakan unduh melalui tautan di bawah.",
    failed="Ekspor pelanggan yang Anda minta tidak dapat diselesaikan, dan tidak ada file yang dibuat.",
    reason="Penyebabnya: {reason}",
    try_again="Silakan coba lagi. Jika tetap gagal, hubungi tim dukungan dan sertakan nomor referensi di bawah.",
    file="File",
    in_file="Pelanggan dalam file",
    not_exported="Pelanggan yang tidak diekspor",
    works_until="Tautan berlaku hingga",
    reference="Referensi",
    download="Unduh file",
    link_note="Tautan berlaku hingga {when}. Siapa pun yang memilikinya dapat mengunduh file, jadi mohon jangan "
    "meneruskan email ini.",
    link_note_without_end="Siapa pun yang memiliki tautan dapat mengunduh file, jadi mohon jangan meneruskan email "
    "ini.",
    please_note="Harap diperhatikan",
    and_more="dan {count} lainnya",
    footer="Anda menerima email ini karena ada permintaan ekspor pelanggan dengan alamat email Anda. "
    "Jika bukan Anda yang memintanya, mohon beri tahu administrator Anda.",
    ready_notice="{file} berisi {customers}.",
    partial_notice="{file} berisi {count} dari {customers} yang Anda minta.",
    failed_notice="Tidak ada file yang dibuat. Penyebabnya ada di email yang kami kirim.",
    until_notice="Unduh sebelum {when}.",
)


def texts_for(locale: str) -> Texts:
    """The texts for a locale such as `id-ID`; English where it is neither of the two."""
    return INDONESIAN if language_for(locale) is INDONESIAN_LANGUAGE else ENGLISH
