"""A cheap look at what is said: which feelings its words carry, in several languages, without a model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.persona.sheet import Feeling

LOOKED_AT = 2000  # characters of a message
ONE, SEVERAL = 0.6, 1.0  # strength of one word, and of more

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")

# English, German, French, Spanish, Italian, Portuguese, Dutch, Polish; then those without blanks between words, and signs.
_WORDS: dict[Feeling, str] = {
    "praise": "great awesome brilliant amazing wonderful clever smart perfect fantastic excellent nice cool "
    "toll großartig super klasse genial klug wunderbar perfekt spitze "
    "génial formidable magnifique parfait bravo intelligent "
    "genial estupendo perfecto maravilloso increíble listo bravo brava perfetto bravissimo fantastico "
    "ótimo perfeito incrível maravilhoso geweldig prachtig slim goed świetnie świetny wspaniały super",
    "insult": "stupid idiot dumb useless moron trash garbage pathetic loser ugly "
    "dumm idiot blöd nutzlos trottel doof hässlich schrott stupide bête inutile nul crétin "
    "estúpido idiota tonto inútil basura stupido scemo inutile burro lixo "
    "dom stom nutteloos głupi idiota bezużyteczny",
    "joy": "happy glad yay haha hahaha lol fun funny party hooray love great "
    "froh glücklich freue lustig juhu hurra spaß heureux heureuse content drôle youpi "
    "feliz contento contenta alegre divertido jaja jajaja felice contenta divertente evviva "
    "alegre engraçado kkk blij gelukkig leuk grappig szczęśliwy wesoły hura",
    "sadness": "sad unhappy crying cry lonely depressed miss heartbroken died funeral grief tired "
    "traurig weine einsam vermisse gestorben unglücklich deprimiert triste pleure seul seule déprimé mort "
    "triste lloro solo sola deprimido murió piango lutto choro sozinho saudade morreu "
    "verdrietig huil eenzaam gestorven smutny smutna płaczę samotny umarł",
    "anger": "angry furious hate annoying annoyed damn hell mad rage "
    "wütend sauer hasse nervt verdammt ärgerlich furieux déteste énervé merde colère "
    "enojado furioso odio maldito mierda arrabbiato furioso odio maledizione raiva ódio droga "
    "boos woedend haat verdomme zły wściekły nienawidzę cholera",
    "fear": "afraid scared fear worried anxious terrified nervous panic "
    "angst fürchte besorgt nervös panik peur effrayé inquiet angoisse miedo asustado preocupado nervioso "
    "paura spaventato preoccupato medo assustado preocupado bang angstig bezorgd boję strach martwię",
    "surprise": "wow whoa really unbelievable incredible omg suddenly surprise "
    "wahnsinn echt unglaublich überraschung incroyable vraiment waouh surprise increíble vaya sorpresa "
    "incredibile davvero sorpresa incrível nossa surpresa ongelooflijk echt verrassing niesamowite naprawdę",
    "affection": "love adore hug kiss dear darling friend sweetheart cute "
    "liebe lieb liebling umarmung kuss freund schatz süß aime adore bisou chéri ami câlin "
    "quiero amo abrazo beso cariño amigo amore abbraccio bacio caro amico adoro abraço beijo querido "
    "hou knuffel kus lieve vriend kocham przytul buziak kochanie przyjaciel",
    "thanks": "thanks thank thx ty cheers grateful danke dankeschön dank merci gracias grazie obrigado obrigada "
    "bedankt dankjewel dziękuję dzięki",
    "calm": "calm relax peaceful quiet breathe rest easy tea sleep "
    "ruhig entspannt friedlich ruhe atme calme tranquille paix respire tranquilo tranquila calma paz respira "
    "tranquillo sereno pace rustig kalm vrede spokojny spokój",
}  # fmt: skip
_INSIDE: dict[Feeling, tuple[str, ...]] = {
    "praise": ("すごい", "素晴らしい", "太棒", "厉害", "👏", "👍", "💯"),
    "insult": ("バカ", "馬鹿", "笨蛋", "白痴", "🖕"),
    "joy": ("嬉しい", "楽しい", "开心", "高兴", "😄", "😂", "🎉", "😀", "😁", "🥳"),
    "sadness": ("悲しい", "寂しい", "难过", "伤心", "😢", "😭", "💔", "😞"),
    "anger": ("怒", "生气", "😡", "🤬", "😠"),
    "fear": ("怖い", "害怕", "😱", "😨", "😰"),
    "surprise": ("びっくり", "惊讶", "😮", "😲", "🤯"),
    "affection": ("大好き", "愛", "爱你", "❤", "😘", "🥰", "🤗"),
    "thanks": ("ありがとう", "谢谢", "🙏"),
    "calm": ("落ち着", "平静", "🧘", "😌"),
}
_NOT = frozenset(
    [
        "not",
        "no",
        "never",
        "don't",
        "doesn't",
        "isn't",
        "aren't",
        "wasn't",
        "can't",
        "won't",
        "without",
        "hardly",
        "nicht",
        "kein",
        "keine",
        "keinen",
        "nie",
        "niemals",
        "ohne",
        "pas",
        "jamais",
        "sans",
        "ni",
        "nunca",
        "jamás",
        "sin",
        "non",
        "mai",
        "senza",
        "não",
        "nunca",
        "sem",
        "niet",
        "geen",
        "nooit",
        "zonder",
        "nie",
        "nigdy",
        "bez",
    ]
)

_TABLE: dict[str, tuple[Feeling, ...]] = {}
for _feeling, _listed in _WORDS.items():
    for _word in set(_listed.split()):
        _TABLE[_word] = (*_TABLE.get(_word, ()), _feeling)


def felt(text: str) -> dict[Feeling, float]:
    """How much of each feeling a text carries, 0 to 1; what is negated carries none. Never looks at more than its beginning."""
    looked = text[:LOOKED_AT].casefold()
    counts: dict[Feeling, int] = {}
    before: tuple[str, str] = ("", "")
    for found in _WORD.finditer(looked):
        word = found[0].replace("’", "'")
        if not _NOT.intersection(before):
            for feeling in _TABLE.get(word, ()):
                counts[feeling] = counts.get(feeling, 0) + 1
        before = before[1], word
    for feeling, signs in _INSIDE.items():
        hits = sum(sign in looked for sign in signs)
        if hits:
            counts[feeling] = counts.get(feeling, 0) + hits
    return {feeling: ONE if count == 1 else SEVERAL for feeling, count in counts.items()}
