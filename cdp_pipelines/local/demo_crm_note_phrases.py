"""What salespeople write in the demo CRM's notes, in six languages.

Belongs here: sentences with gaps. Not here: the markup around them (`demo_crm_note_texts.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Phrases:
    """`sentences` and `items` have gaps `{name}`, `{company}`, `{city}`, `{day}` and `{amount}`; `short` have none."""

    greeting: str
    heading: str
    wrote: str
    sentences: tuple[str, ...]
    items: tuple[str, ...]
    short: tuple[str, ...]


PHRASES: Final[Mapping[str, Phrases]] = {
    "id_ID": Phrases(
        greeting="Yth. Bapak/Ibu {name},",
        heading="Hasil kunjungan ke {company}",
        wrote="Pada {day} {name} menulis:",
        sentences=(
            "Sudah ditelepon, {name} minta dihubungi lagi tanggal {day}.",
            "Pak {name} dari {company} tertarik paket reseller, minta penawaran Rp {amount}.",
            "Customer komplain pengiriman ke {city} terlambat 3 hari, sudah dikoordinasikan dengan gudang.",
            "Follow up via WA, belum dibalas. Coba lagi minggu depan ya.",
            "DP sudah ditransfer Rp {amount}, sisanya setelah barang sampai di {city}.",
            "Minta diskon tambahan & free ongkir, saya bilang harus konfirmasi ke atasan dulu.",
            "Meeting dengan tim purchasing {company} berjalan lancar, keputusan paling lambat {day}.",
            "Nomor lama sudah tidak aktif; pakai nomor kantor {city}.",
            "Sample kopi sudah diterima, katanya rasanya cocok 👍",
            "Kontrak diperpanjang 12 bulan, harga tetap < Rp {amount} per dus.",
        ),
        items=("Kirim penawaran ke {name}", "Cek stok gudang {city}", "Invoice Rp {amount}", "Jadwal demo {day}"),
        short=("Telp tidak diangkat", "tdk aktif", "Sudah bayar ✅", "minta dihubungi sore", "batal, kemahalan", "ok"),
    ),
    "en_US": Phrases(
        greeting="Hi {name},",
        heading="Visit at {company}",
        wrote="On {day}, {name} wrote:",
        sentences=(
            "Spoke to {name}; they want a call back on {day} about the renewal.",
            "{company} is comparing us with two other vendors and asked for a quote under ${amount}.",
            "Left a voicemail & sent the deck by email, no answer yet.",
            "The order for {city} arrived damaged, replacement is on its way.",
            "Decision maker is {name}, but legal at {company} has to sign off first.",
            'They don\'t like the new pricing ("too steep"), offered 10% off until {day}.',
            "Great call 🎉 – ready to sign for ${amount} as soon as the PO is approved.",
            "Asked us to stop calling before 10am; prefers email.",
        ),
        items=("Send quote to {name}", "Check stock in {city}", "Invoice ${amount}", "Demo on {day}"),
        short=("No answer", "left VM", "Paid ✅", "call back pm", "wrong number", "n/a", "not interested <3 months"),
    ),
    "ja_JP": Phrases(
        greeting="{name}様",
        heading="{company} 訪問メモ",
        wrote="{day}、{name} のメール:",
        sentences=(
            "{name}様と電話。{day}に再度連絡してほしいとのこと。",
            "{company}の購買担当から見積依頼({amount}円以内)。",
            "{city}店への納品が遅れているとクレームあり。倉庫と調整済み。",
            "サンプルは好評。次回の打ち合わせで契約条件を詰める予定。",
            "新しい価格表をメールで送付。返信待ち。",
            "決裁者は{name}様。法務の確認が必要なため{day}以降になる見込み。",
            "入金確認済み({amount}円)。領収書を郵送すること。",
        ),
        items=("{name}様へ見積送付", "{city}倉庫の在庫確認", "請求書 {amount}円", "デモ {day}"),
        short=("不在", "留守電に伝言", "入金済み✅", "要フォロー", "番号違い", "検討中"),
    ),
    "de_DE": Phrases(
        greeting="Guten Tag {name},",
        heading="Besuch bei {company}",
        wrote="Am {day} schrieb {name}:",
        sentences=(
            "Mit {name} telefoniert, Rückruf am {day} gewünscht.",
            "{company} möchte ein Angebot über {amount} € für drei Filialen, u. a. {city}.",
            "Reklamation: Größe stimmt nicht, Ersatz geht morgen raus.",
            "Der Einkauf prüft noch; Entscheidung fällt frühestens {day}.",
            "Rabatt von 5 % zugesagt, sofern > 100 Stück bestellt werden.",
            "Preisliste & Muster per Post geschickt. Straße hat sich geändert!",
        ),
        items=("Angebot an {name}", "Bestand {city} prüfen", "Rechnung {amount} €", "Vorführung {day}"),
        short=("nicht erreicht", "Mailbox besprochen", "bezahlt ✅", "kein Interesse", "Rückruf!"),
    ),
    "ar_AA": Phrases(
        greeting="السيد/السيدة {name}،",
        heading="زيارة {company}",
        wrote="كتب {name} في {day}:",
        sentences=(
            "تم الاتصال بـ {name} وطلب معاودة الاتصال يوم {day}.",
            "شركة {company} تريد عرض سعر بقيمة {amount} درهم.",
            "شكوى من تأخر الشحنة إلى {city}، تم التنسيق مع المستودع.",
            "العميل راضٍ عن العينة، وسيتم توقيع العقد قريبًا ✅",
            "أرسلنا قائمة الأسعار بالبريد الإلكتروني، ولم يصل رد بعد.",
            "طلب خصمًا إضافيًا وشحنًا مجانيًا إلى {city}.",
        ),
        items=("إرسال العرض إلى {name}", "فحص المخزون في {city}", "فاتورة {amount} درهم", "عرض توضيحي {day}"),
        short=("لا يرد", "الرقم غير صحيح", "تم الدفع ✅", "غير مهتم"),
    ),
    "he_IL": Phrases(
        greeting="שלום {name},",
        heading="ביקור אצל {company}",
        wrote="בתאריך {day} כתב {name}:",
        sentences=(
            "שוחחתי עם {name}, ביקש שנחזור אליו בתאריך {day}.",
            'חברת {company} מבקשת הצעת מחיר עד {amount} ש"ח.',
            "תלונה על עיכוב במשלוח ל{city}, טופל מול המחסן.",
            "הדוגמה התקבלה והלקוח מרוצה 🙂",
            "נשלח מחירון במייל, ממתינים לתשובה.",
        ),
        items=("לשלוח הצעה אל {name}", "לבדוק מלאי ב{city}", 'חשבונית {amount} ש"ח', "הדגמה {day}"),
        short=("אין מענה", "מספר שגוי", "שולם ✅", "לא מעוניין"),
    ),
}
