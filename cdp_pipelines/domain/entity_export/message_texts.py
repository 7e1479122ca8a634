"""The words of the email about an entity export, in each language it is written in.

Belongs here: sentences and the nouns of the exported objects. Not here: which of them an email has (`messages`), how it
looks (`message_layout`). A sentence is written so that no verb has to agree with a number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cdp_pipelines.domain.message_parts import ENGLISH_LANGUAGE, INDONESIAN_LANGUAGE, Language, language_for


@dataclass(frozen=True, slots=True)
class Noun:
    """What one row of an export is called, several of them, and the export itself ("Your {export} export")."""

    one: str
    many: str
    export: str


def _nouns(one: str, many: str) -> Noun:
    return Noun(one, many, one)


ENGLISH_NOUNS: Final[Mapping[str, Noun]] = MappingProxyType(
    {
        "voucher": _nouns("voucher", "vouchers"),
        "order": _nouns("order", "orders"),
        "redemption": _nouns("redemption", "redemptions"),
        "publication": _nouns("publication", "publications"),
        "customer": _nouns("customer", "customers"),
        "product": _nouns("product", "products"),
        "sku": _nouns("SKU", "SKUs"),
        "points_expiration": _nouns("points expiration", "points expirations"),
        "voucher_transactions": _nouns("voucher transaction", "voucher transactions"),
        # An export that failed because it asked for something that does not exist.
        "": Noun("row", "rows", "data"),
    }
)
INDONESIAN_NOUNS: Final[Mapping[str, Noun]] = MappingProxyType(
    {
        "voucher": _nouns("voucher", "voucher"),
        "order": _nouns("pesanan", "pesanan"),
        "redemption": _nouns("penukaran voucher", "penukaran voucher"),
        "publication": _nouns("publikasi voucher", "publikasi voucher"),
        "customer": _nouns("pelanggan", "pelanggan"),
        "product": _nouns("produk", "produk"),
        "sku": _nouns("SKU", "SKU"),
        "points_expiration": _nouns("kedaluwarsa poin", "kedaluwarsa poin"),
        "voucher_transactions": _nouns("transaksi voucher", "transaksi voucher"),
        "": Noun("baris", "baris", "data"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """One language. Braces are filled by `messages`; `rows` is a count with its noun, such as "3 vouchers"."""

    language: Language
    nouns: Mapping[str, Noun]

    ready_title: str
    failed_title: str

    holds: str
    holds_nothing: str
    split: str
    linked: str
    served_again: str
    failed: str
    reason: str
    try_again: str

    file: str
    manifest: str
    files: str
    row_count: str
    size: str
    format: str
    works_until: str
    schedule: str
    reference: str
    download: str
    download_manifest: str
    link_note: str
    link_note_without_end: str
    please_note: str
    and_more: str
    footer: str
    schedule_footer: str


ENGLISH: Final = Texts(
    language=ENGLISH_LANGUAGE,
    nouns=ENGLISH_NOUNS,
    ready_title="Your {export} export is ready",
    failed_title="Your {export} export failed",
    holds="The file {file} holds {rows}.",
    holds_nothing="No {one} matched what you asked for, so the file {file} has no rows.",
    split="The export holds {rows}. It was split into {count} files; the manifest {file} lists them with their sizes "
    "and checksums.",
    linked="Please download it with the link below.",
    served_again="Nothing has changed since {when}, so this is the file that was made then for an earlier export.",
    failed="The {export} export you asked for could not be finished, and no file was made.",
    reason="What went wrong: {reason}",
    try_again="Please try again. If it fails again, contact support and give them the reference below.",
    file="File",
    manifest="Manifest",
    files="Files",
    row_count="Rows",
    size="Size",
    format="Format",
    works_until="Link works until",
    schedule="Schedule",
    reference="Reference",
    download="Download the file",
    download_manifest="Download the manifest",
    link_note="The link works until {when}. Whoever has it can download the data, so please do not pass this email on.",
    link_note_without_end="Whoever has the link can download the data, so please do not pass this email on.",
    please_note="Please note",
    and_more="and {count} more",
    footer="You get this email because the {export} export was asked for with your address. "
    "If that was not you, please tell your administrator.",
    schedule_footer="You get this email because a scheduled {export} export has your address. "
    "If you no longer want it, please tell your administrator.",
)

INDONESIAN: Final = Texts(
    language=INDONESIAN_LANGUAGE,
    nouns=INDONESIAN_NOUNS,
    ready_title="Ekspor {export} Anda sudah siap",
    failed_title="Ekspor {export} Anda gagal",
    holds="File {file} berisi {rows}.",
    holds_nothing="Tidak ada {one} yang cocok dengan permintaan Anda, sehingga file {file} tidak berisi baris.",
    split="Ekspor ini berisi {rows}. Ekspor dibagi menjadi {count} file; manifes {file} mencantumkan semuanya beserta "
    "ukuran dan checksum-nya.",
    linked="Silakan unduh melalui tautan di bawah.",
    served_again="Tidak ada yang berubah sejak {when}, jadi ini adalah file yang dibuat saat itu untuk ekspor "
    "sebelumnya.",
    failed="Ekspor {export} yang Anda minta tidak dapat diselesaikan, dan tidak ada file yang dibuat.",
    reason="Penyebabnya: {reason}",
    try_again="Silakan coba lagi. Jika tetap gagal, hubungi tim dukungan dan sertakan nomor referensi di bawah.",
    file="File",
    manifest="Manifes",
    files="Jumlah file",
    row_count="Baris",
    size="Ukuran",
    format="Format",
    works_until="Tautan berlaku hingga",
    schedule="Jadwal",
    reference="Referensi",
    download="Unduh file",
    download_manifest="Unduh manifes",
    link_note="Tautan berlaku hingga {when}. Siapa pun yang memilikinya dapat mengunduh data, jadi mohon jangan "
    "meneruskan email ini.",
    link_note_without_end="Siapa pun yang memiliki tautan dapat mengunduh data, jadi mohon jangan meneruskan email "
    "ini.",
    please_note="Harap diperhatikan",
    and_more="dan {count} lainnya",
    footer="Anda menerima email ini karena ada permintaan ekspor {export} dengan alamat email Anda. "
    "Jika bukan Anda yang memintanya, mohon beri tahu administrator Anda.",
    schedule_footer="Anda menerima email ini karena alamat email Anda tercantum pada ekspor {export} terjadwal. "
    "Jika Anda tidak lagi menginginkannya, mohon beri tahu administrator Anda.",
)


def texts_for(locale: str) -> Texts:
    """The texts for a locale such as `id-ID`; English where it is neither of the two."""
    return INDONESIAN if language_for(locale) is INDONESIAN_LANGUAGE else ENGLISH
