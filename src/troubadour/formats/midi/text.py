"""The encoding of a MIDI file's texts, which the standard leaves open: found from the bytes.

Texts are short, so that statistics of letter pairs say little. Each encoding is tried and its result
judged letter by letter: Japanese syllables, common Chinese characters and common Korean syllables
count in full, rare ones little; a Latin letter counts where it stands alone among ASCII letters, a
Cyrillic or Greek one in a run of its own with plausible capitals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_SAMPLE: Final = 4000
"""Bytes that are looked at."""
_DOUBLE: Final = ("cp932", "euc_jp", "gbk", "big5", "cp949")
_SINGLE: Final = ("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp850", "mac_roman")
_HANZI: Final = frozenset(
    "的一是不了在人有我他这個个们中来上大为和国地到以说時时要就出会可也你对生能而子那得于着下自之年过发後后作里用道行所然家种事"
    "成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使"
    "情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给"
    "世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量"
    "再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设"
    "式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笔曲樂乐音奏歌琴钢鋼鼓弦笛号號前奏"
    "春夏秋冬花鸟风風雨雪夜愛爱夢梦恋戀酒舞吉他提琴古典练練習习爵士贝斯主旋律和声聲伴轨軌第一二三四五六七八九十東西中國這為來說過"
    "對開關門無與長機發經動現還進樣實從軍產業將兩間問應戰頭體見變數報結場計資許統區隊決馬書則聽達強難權設記類據邊張該規萬術領確"
    "傳師觀讓識帶導爭運電話語學校会社新聞未来希望青空童伴星月夜桜旅人君僕私世界光影涙笑顔声主題歌編曲作詞"
)
_HANGUL: Final = frozenset(
    "가각간갈감강개거건걸검게겨결경계고곡골공과관광교구국군그극근글금기길김나난날남내너네년노녹놀누눈는능니다단달담당대더덕데도독돌동"
    "되된두드든들등디따때또라락란람랑래러런레려력로록론료루류르른를름리린림마막만말맑망매머먼메면명모목몸무문물미민바박반발밤방배백버번"
    "벌법베별병보복본봄부북분불비빛사산살삼상새색생서석선설성세소속손송수순술스승시식신실심아악안알암앞애야약양어언얼엄없었에여역연열영"
    "예오옥온와왕외요용우운울웃원월위유은을음의이인일임있자작잔장재저적전절정제조족존종주죽준중즐지직진집차참창처천첫청초총추축춘출춤"
    "치친카커코크키타탁태터토통트파편평포푸품프피하학한할함합해행향허현형호혼화환활황회후휘흐희히힘피아노첼로드럼베이스기타"
)
_HALF_WIDTH: Final = re.compile("[\uff61-\uff9f]+")
_CYRILLIC: Final = re.compile("[\u0400-\u04ff]+")
_GREEK: Final = re.compile("[\u0370-\u03ff]+")
_LATIN_FOREIGN: Final = frozenset("àáâãäåæçèéêëìíîïñòóôõöøœùúûüýÿßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒÙÚÛÜÝ")
_LATIN_EAST: Final = frozenset("ąćęłńśźżěščřžýůďťňőűăâîșțşţđĄĆĘŁŃŚŹŻĚŠČŘŽŮĎŤŇŐŰĂȘȚŞŢĐ")
_SIGNS: Final = frozenset("©®™°\u2013\u2014\u2018\u2019“”«»…·•¡¿€£§№")


def encoding_of(texts: Iterable[bytes]) -> str:
    """The one encoding of a file's texts, by its name in Python; `utf-8` where all are ASCII."""
    foreign = [text for text in texts if not text.isascii()]
    if not foreign:
        return "utf-8"
    if all(_decodes(text, "utf-8") is not None for text in foreign):
        return "utf-8"
    best, most = "latin-1", 0.0
    sample: list[bytes] = []
    for text in foreign:
        if sum(map(len, sample)) < _SAMPLE:
            sample.append(text[:_SAMPLE])
    high = sum(byte > 127 for text in sample for byte in text)
    for encoding in (*_DOUBLE, *_SINGLE):
        decoded = [_decodes(text, encoding) for text in sample]
        score = sum(_worth(text, encoding) for text in decoded if text is not None) / max(high, 1)
        if encoding in _DOUBLE and None in decoded:
            score /= 2
        if score > most + 1e-9:
            best, most = encoding, score
    return best


def decode(text: bytes, encoding: str) -> str:
    """A text in a file's encoding; one that is not in it byte by byte (Latin-1), so that nothing is lost."""
    found = _decodes(text, encoding)
    return text.decode("latin-1") if found is None else found


def encode(text: str, encoding: str) -> bytes:
    """The bytes of a text in a file's encoding; of one that it cannot hold in UTF-8."""
    try:
        return text.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        latin = encoding != "utf-8" and all(ord(c) < 256 for c in text)
        return text.encode("latin-1") if latin else text.encode("utf-8", "replace")


def _decodes(text: bytes, encoding: str) -> str | None:
    try:
        return text.decode(encoding)
    except UnicodeDecodeError:
        return None


def _worth(text: str, encoding: str) -> float:
    """How plausible a decoded text is: up to 1 for each byte that is not ASCII."""
    if encoding in _DOUBLE:
        return _east_asian(text, encoding)
    if encoding in ("cp1251", "koi8_r"):
        return _in_runs(text, _CYRILLIC)
    if encoding == "cp1253":
        return 0.98 * _in_runs(text, _GREEK)
    return _latin(text, encoding)


def _east_asian(text: str, encoding: str) -> float:
    worth = 0.0
    for i, char in enumerate(text):
        if char.isascii():
            continue
        around = text[max(i - 1, 0) : i] + text[i + 1 : i + 2]
        code = ord(char)
        # Alone among ASCII, with a letter beside it or within it: a Latin letter that was mistaken.
        within = char.encode(encoding)[-1:].isalpha()
        glued = around.isascii() and (within or any(c.isalpha() for c in around))
        if 0x3040 <= code < 0x3100:
            value = 1.0
        elif 0xAC00 <= code < 0xD7A4:
            value = 1.0 if char in _HANGUL else 0.45
        elif 0x4E00 <= code < 0xA000:
            value = 1.0 if char in _HANZI else _level(char, encoding)
        elif 0xFF61 <= code < 0xFFA0:  # half-width: one byte
            worth += 0.85 if len(_HALF_WIDTH.sub("", text)) + 3 <= len(text) else 0.3
            continue
        elif 0x3000 <= code < 0x3020 or 0xFF00 <= code < 0xFF61:
            value = 0.7
        else:
            value = 0.2
        worth += 2 * (0.15 if glued else value)
    return worth


def _level(char: str, encoding: str) -> float:
    """Common characters come first in the Chinese and Japanese tables."""
    lead = char.encode(encoding)[0]
    common = {"gbk": (0xB0, 0xD7), "big5": (0xA4, 0xC6), "cp932": (0x88, 0x97), "euc_jp": (0xB0, 0xCF)}
    low, high = common.get(encoding, (0, 0))
    return 0.75 if low <= lead <= high else 0.2


def _in_runs(text: str, letters: re.Pattern[str]) -> float:
    """Letters of another alphabet in words of their own: all small, all large, or one capital first."""
    worth = 0.0
    for found in letters.finditer(text):
        run, around = found[0], text[max(found.start() - 1, 0) : found.start()] + text[found.end() :][:1]
        usual = run.islower() or run.isupper() or run.istitle()
        usual = usual and not any(c.isascii() and c.isalpha() for c in around)
        worth += len(run) * ((0.9 if len(run) > 2 else 0.5) if usual else 0.15)
    return worth


def _latin(text: str, encoding: str) -> float:
    worth = 0.0
    letters = _LATIN_EAST | _LATIN_FOREIGN if encoding == "cp1250" else _LATIN_FOREIGN
    weight = {"cp1252": 1.0, "cp1250": 0.97, "cp850": 0.9, "mac_roman": 0.88}[encoding]
    for i, char in enumerate(text):
        if char.isascii():
            continue
        before, after = text[i - 1 : i] if i else "", text[i + 1 : i + 2]
        plain = sum(c.isascii() and c.isalpha() for c in (before, after) if c)
        glued = sum(not c.isascii() for c in (before, after) if c)
        if char in letters:
            mixed = char.isupper() and before.islower()
            worth += 0.25 if glued else 0.3 if mixed else 0.9 if plain or not before + after else 0.6
        elif char in "ºª":
            worth += 0.95
        elif char in _SIGNS:
            worth += 0.15 if glued else 0.7 if plain < 2 or char in "\u2019\u2018·" else 0.2
        else:
            worth += 0.02
    return worth * weight
