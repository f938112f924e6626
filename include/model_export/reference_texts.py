"""The fixed texts on which an export, and later its served copy, is compared with the source model."""

from __future__ import annotations

from collections.abc import Sequence

from include.sources.generators import Language, generate

_WORDS = "waterproof hiking backpack with rain cover and laptop sleeve for men and women "

BY_LANGUAGE: dict[str, tuple[str, ...]] = {
    "en": (
        "a",
        "tent",
        "Hiking backpack 40 L",
        "wireless noise cancelling headphones with 30 hours of battery life",
        "stainless steel water bottle, 750 ml, keeps drinks cold for 24 hours",
        "running shoes for women",
        "Women's running shoes, size 38, light blue",
        "men's waterproof winter jacket XL",
        "organic green tea, 100 bags",
        "coffee beans dark roast 1 kg",
        "kids' bicycle 16 inch with training wheels",
        "ergonomic office chair with lumbar support",
        "gaming mouse RGB 16000 DPI",
        "4K OLED television 55 inch",
        "cotton bed sheets, queen size, white",
        "non-stick frying pan 28 cm induction",
        "LED desk lamp dimmable USB-C",
        "dog food grain free salmon 12kg",
        "yoga mat 6mm non slip",
        "acoustic guitar for beginners",
        "vitamin C serum for face",
        "electric toothbrush replacement heads (4 pcs)",
        "camping stove gas portable",
        "leather wallet slim RFID",
        "The quick brown fox jumps over the lazy dog.",
        "How do I return an item that arrived broken?",
        "UPPER CASE ONLY",
        _WORDS * 2,
        _WORDS * 8,
    ),
    "ja": (
        "贅沢 登山リュック M",
        "ファッション 便利な 登山",
        "軽量 防水 ノートパソコンケース 15インチ",
        "有機緑茶 ティーバッグ 100袋",
        "お茶",
        "レディース ランニングシューズ 24.5cm ブルー",
        "壊れて届いた商品を返品するにはどうすればよいですか?",
        "ﾊﾝｶｸ カナ と 全角ABC123",
        "折りたたみ自転車 20インチ 6段変速 カゴ付き、通勤・通学用",
        "北欧風の静音な掛け時計は、寝室にも書斎にも合います。" * 4,
    ),
    "ko": (
        "전기밥솥 10인용",
        "여성 러닝화 초경량 쿠션",
        "가벼운 등산 가방 40L 방수 커버 포함",
        "무선 이어폰 노이즈 캔슬링",
        "유기농 녹차 티백 100개입",
        "부서진 상품을 받았는데 어떻게 반품하나요?",
        "ㅋㅋ 가성비 최고!!",
        "아이들과 함께 쓰기 좋은 접이식 캠핑 의자입니다. " * 4,
    ),
    "zh": (
        "充电宝 20000毫安 快充",
        "登山背包 防水 轻便 40升",
        "女士跑步鞋 透气 浅蓝色",
        "有机绿茶 100包",
        "無線降噪耳機 30小時續航",
        "收到的商品坏了,怎么退货?",
        "不粘平底锅28厘米电磁炉通用",
        "这款折叠自行车适合上班和上学,带车筐和六级变速。" * 4,
    ),
}

# Of no language: what every model meets.
COMMON: tuple[str, ...] = (
    "SKU-48213/B rev.2 #0007",
    "50% off!!! *** LAST CHANCE ***",
    "naïve café crème brûlée à la carte",
    "   spaces   around   ",
    "🎒 backpack 🏔️",
    "Ünïcödé ﬁ ½ ™",
    "line\nbreak\tand tab",
    "x" * 300,
    "1234567890 " * 12,
    _WORDS * 40,  # longer than most models' limit: both sides must truncate alike
)

TEXTS: tuple[str, ...] = (*(text for texts in BY_LANGUAGE.values() for text in texts), *COMMON)

_NEIGHBOURS = 120  # product names a language among which ranks are compared: enough to be near each other


def texts_for(languages: Sequence[str]) -> tuple[str, ...]:
    """The reference texts of the languages that a model names; all of them for one that names none of these."""
    known = [language for language in BY_LANGUAGE if language in languages] or list(BY_LANGUAGE)
    return (*(text for language in known for text in BY_LANGUAGE[language]), *COMMON)


def ranking_texts(languages: Sequence[str]) -> tuple[str, ...]:
    """As :func:`texts_for`, with many similar product names: a model that blurs them ranks them otherwise."""
    spoken: tuple[Language, ...] = ("en", "ja", "ko")
    named = [language for language in spoken if language in languages] or ["en"]
    names = (name for language in named for name in generate("products", _NEIGHBOURS, language=language))
    return (*texts_for(languages), *names)
