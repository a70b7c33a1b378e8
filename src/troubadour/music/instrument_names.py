"""General MIDI programs from the names of instruments, in the languages of scores, and from sound ids."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

# Program and the words that name it; several words must stand next to each other. Longer names come
# before shorter ones by the search itself. Abbreviations end with a dot only in scores: it is not needed.
_WORDS: Final = """
0: piano, pianoforte, fortepiano, klavier, hammerklavier, pno, pf, klav, upright piano, grand piano, acoustic grand piano
1: bright piano, bright acoustic piano
2: electric grand, electric grand piano
3: honky tonk, honky tonk piano
4: electric piano, e piano, rhodes, e pno, wurlitzer
6: harpsichord, cembalo, clavecin, clavicembalo, hpschd, hpsd, cemb, virginal, spinet
7: clavinet, clavichord, clavi
8: celesta, celeste, cel
9: glockenspiel, glock, glsp, campanelli, bell lyre, orchestral bells
10: music box
11: vibraphone, vibes, vibrafono, vibraphon, vib
12: marimba, mar, balafon
13: xylophone, xylophon, xilofono, xyl, xylo, xylorimba
14: tubular bells, chimes, tub bells, rohrenglocken, campane, cloches, handbells, carillon, church bells
15: dulcimer, hammered dulcimer, santoor, cimbalom, hackbrett
16: drawbar organ, hammond, hammond organ, electric organ
17: percussive organ
18: rock organ
19: organ, orgel, organo, orgue, pipe organ, church organ, org, pedal, pedals, swell, great organ
20: reed organ, harmonium, melodeon
21: accordion, akkordeon, fisarmonica, accordeon, acc, concertina
22: harmonica, mundharmonika, armonica, melodica
23: bandoneon, tango accordion
24: guitar, gitarre, chitarra, guitare, guitarra, gtr, git, classical guitar, nylon guitar, nylon string guitar, acoustic guitar, lute, laute, liuto, luth, theorbo, archlute, vihuela, ukulele, uke, cavaquinho
25: steel guitar, steel string guitar, acoustic steel guitar, folk guitar, mandolin, mandoline, mandolino, 12 string guitar, bouzouki, pedal steel guitar
26: jazz guitar
27: electric guitar, e gtr, el guitar, e gitarre, elec guitar, lead guitar, rhythm guitar, clean guitar, electric guitar clean, e guitar
28: muted guitar
29: overdriven guitar, overdrive guitar
30: distorted guitar, distortion guitar
31: guitar harmonics
32: acoustic bass, upright bass, acoustic bass guitar, string bass, pizz bass, jazz bass, guitarron
33: bass guitar, electric bass, e bass, el bass, elec bass, electric bass guitar, finger bass, fingered bass, finger electric bass, 5 string bass guitar, e bs, bassgitarre, basse electrique, e bass guitar
34: picked bass, pick bass
35: fretless bass, fretless electric bass
36: slap bass
38: synth bass, synthesizer bass, bass synth
40: violin, violine, violino, violon, violini, violinen, violins, violons, violines, vln, vn, vl, vli, viol, geige, geigen, vni, vno
41: viola, violas, viole, violen, bratsche, bratschen, altos, vla, va, vle, br, braccio
42: cello, cellos, violoncello, violoncelli, violoncelle, violoncelles, violoncellos, celli, vc, vcl, vlc, vclo, vcllo, viola da gamba, gamba, bass viol, viol da gamba
43: contrabass, contrabasses, double bass, double basses, contrabbasso, contrabbassi, contrebasse, contrebasses, kontrabass, kontrabasse, basses, bassi, bassi e violoncelli, cb, kb, db, d b, violone, contrabajo
44: tremolo strings
45: pizzicato, pizzicato strings
46: harp, harps, harfe, arpa, arpe, harpe, harpes, hp, hrp, hf, lyre
47: timpani, timpano, timp, pauken, pauke, timbales d'orchestre, timbales, kettledrums, kettle drums, pk, timb
48: strings, string ensemble, string section, string orchestra, streicher, archi, cordes
49: slow strings
50: synth strings
52: choir, chorus, chor, coro, choeur, choir aahs, soprano, sopranos, alto, tenor, tenors, baritone, bass voice, voice, voices, voix, vocal, vocals, vox, canto, cantus, singstimme, gesang, voce, voci, stimme, sopran, alt, bariton, mezzo, mezzo soprano, mezzosoprano, contralto, countertenor, treble, discantus, superius, altus, contratenor, quintus, sextus, bassus, satb, bass, basso, baryton, sopranino voice, women, men, solo voice, singer, chant, lead vocals, backing vocals, dessus, haute contre, taille, basse, tiple, chœur
53: voice oohs, oohs, humming
54: synth voice, synth choir
55: orchestra hit
56: trumpet, trumpets, trompete, trompeten, tromba, trombe, trompette, trompettes, trpt, tpt, trp, tr, trombe, clarino, clarini, cornet, cornets, cornetto, kornett, cornet a pistons, cnt, bugle, flugelhorn, flicorno, flug, trompeta, piccolo trumpet
57: trombone, trombones, posaune, posaunen, tromboni, trb, tbn, tbne, pos, bass trombone, tenor trombone, alto trombone, bassposaune, trombon, sackbut, trombone basso, trombone alto, trombone tenore, b tbn
58: tuba, tubas, tb, tba, bass tuba, euphonium, euph, baritone horn, sousaphone, ophicleide, cimbasso, serpent, helicon, basstuba
59: muted trumpet
60: horn, horns, french horn, french horns, corno, corni, cor, cors, waldhorn, hn, hr, hrn, f hn, fr hn, horner, trompa, alto horn, tenor horn, mellophone, wagner tuba, natural horn, corno da caccia, horn in f, saxhorn, horner
61: brass, brass section, blechblaser, ottoni, brass ensemble
62: synth brass
64: soprano saxophone, soprano sax, s sax, sop sax, sopran saxophon, sopransaxophon, sopranino saxophone, sassofono soprano, saxophone soprano
65: alto saxophone, alto sax, a sax, saxophone, sax, saxophon, altsaxophon, altsax, alt saxophon, sassofono, sassofono contralto, alto saxofon, saxophone alto
66: tenor saxophone, tenor sax, t sax, ten sax, tenorsaxophon, tenorsax, tenor saxophon, sassofono tenore, saxophone tenor
67: baritone saxophone, baritone sax, bari sax, bar sax, b sax, baritonsaxophon, bari saxophone, bass saxophone, bass sax, bariton saxophon, saxophone baryton, contrabass saxophone
68: oboe, oboes, oboen, oboi, hautbois, ob, hb, oboe d'amore, oboe da caccia, hoboe, hoboen, bass oboe, shawm, heckelphone, oboes d'amore, oboe d amore
69: english horn, englischhorn, englisch horn, corno inglese, cor anglais, e hn, eng hn, eng horn, e h, c a, ca, c i, engl horn
70: bassoon, bassoons, fagott, fagotte, fagotti, fagotto, basson, bassons, bsn, bn, fg, fag, contrabassoon, contrafagotto, kontrafagott, contrebasson, cbsn, c bn, cfg, fagot, double bassoon, dulcian
71: clarinet, clarinets, klarinette, klarinetten, clarinetto, clarinetti, clarinette, clarinettes, cl, clar, klar, kl, bass clarinet, bassklarinette, clarinetto basso, clarinette basse, b cl, bcl, a cl, e cl, eb cl, basset horn, bassetthorn, corno di bassetto, clarinete, alto clarinet, contrabass clarinet
72: piccolo, picc, pic, flauto piccolo, ottavino, petite flute, kleine flote, piccolo flute, fl picc, piccoloflote, pikkolo
73: flute, flutes, flote, floten, flauto, flauti, fl, flt, alto flute, altflote, bass flute, flauta, fife, traverso, querflote, flute traversiere, flauto traverso, concert flute
74: recorder, recorders, blockflote, flauto dolce, flute a bec, rec, bfl, descant recorder, treble recorder, alto recorder, tenor recorder, bass recorder, soprano recorder
75: pan flute, pan pipes, panpipes, panflute
76: blown bottle, bottle
77: shakuhachi
78: whistle, tin whistle, penny whistle, irish whistle
79: ocarina
80: square lead, synth lead, synth, synthesizer, lead synth, synthesiser
81: saw lead, saw wave, sawtooth
88: new age pad
89: warm pad, synth pad, pad
98: crystal
104: sitar
105: banjo, bjo, tenor banjo
106: shamisen
107: koto
108: kalimba, mbira, thumb piano
109: bagpipe, bagpipes, dudelsack, cornemuse, uilleann pipes, musette
110: fiddle
111: shanai
112: tinkle bell
113: agogo
114: steel drums, steel drum, steel pan, steelpan
116: taiko
"""


def _table() -> dict[tuple[str, ...], int]:
    table: dict[tuple[str, ...], int] = {}
    for line in _WORDS.strip().splitlines():
        program, names = line.split(":", 1)
        for name in names.split(","):
            table.setdefault(_words(name), int(program))
    return table


def _words(text: str) -> tuple[str, ...]:
    """Lower-case words without accents."""
    plain = unicodedata.normalize("NFKD", text.replace("\u266d", "b").replace("ß", "ss").lower())
    plain = "".join(c for c in plain if not unicodedata.combining(c)).replace("œ", "oe")
    return tuple(re.findall(r"[a-z0-9]+", plain.replace("'", " ")))


_TABLE: Final = _table()
_LONGEST: Final = max(len(words) for words in _TABLE)
# "Bass" and "alto" are voices by themselves; before another instrument they only say its size.
_WEAK: Final = frozenset(
    _words(
        "bass basso basses bassi alto alt tenor soprano sopran baritone bariton treble men br tr pos va tb ca acc"
        " viol mar cel pedal org timbales great swell"
    )
)


@lru_cache(maxsize=4096)
def program_of_name(name: str) -> int | None:
    """The General MIDI program that a part's name or abbreviation means, None if it means none.

    English, German, Italian and French; the longest name wins, then the first.

    >>> program_of_name("Klarinette in B"), program_of_name("Vc."), program_of_name("Alto Saxophone")
    (71, 42, 65)
    """
    words = _words(name)
    found: list[tuple[int, bool, int, int]] = []
    for start in range(len(words)):
        for length in range(min(_LONGEST, len(words) - start), 0, -1):
            run = words[start : start + length]
            program = _TABLE.get(run)
            if program is None and length == 1 and run[0][-1:].isdigit():
                program = _TABLE.get((run[0].rstrip("0123456789"),))  # Violin1
            if program is not None:
                weak = length == 1 and run[0].rstrip("0123456789") in _WEAK
                found.append((length, not weak, -start, program))
                break
    return max(found)[3] if found else None


# MusicXML's list of standard sounds: the longest beginning decides. Names that the table above knows
# by their last word are not repeated here.
_SOUNDS: Final = {
    "brass.alphorn": 60, "brass.alto-horn": 60, "brass.baritone-horn": 58, "brass.bugle": 56, "brass.cornett": 56,
    "brass.didgeridoo": 58, "brass.fiscorn": 56, "brass.french-horn": 60, "brass.group": 61, "brass.group.synth": 62,
    "brass.mellophone": 60, "brass.posthorn": 56, "brass.sackbutt": 57, "brass.vienna-horn": 60,
    "brass.wagner-tuba": 60, "brass.saxhorn": 60, "brass": 61,
    "drum.timpani": 47, "drum.taiko": 116, "drum.tom-tom.synth": 118, "drum.log-drum": 115,
    "effect.applause": 126, "effect.bird": 123, "effect.breath": 121, "effect.guitar-fret": 120,
    "effect.gunshot": 127, "effect.helicopter": 125, "effect.seashore": 122, "effect.telephone-ring": 124,
    "keyboard.accordion": 21, "keyboard.bandoneon": 23, "keyboard.celesta": 8, "keyboard.clavichord": 6,
    "keyboard.clavichord.synth": 7, "keyboard.concertina": 21, "keyboard.harmonium": 20,
    "keyboard.harpsichord": 6, "keyboard.ondes-martenot": 80, "keyboard.organ": 19, "keyboard.organ.drawbar": 16,
    "keyboard.organ.percussive": 17, "keyboard.organ.reed": 20, "keyboard.organ.rotary": 18,
    "keyboard.piano.electric": 4, "keyboard.piano.honky-tonk": 3, "keyboard.virginal": 6, "keyboard": 0,
    "metal.steel-drums": 114, "metal.bells.agogo": 113, "metal.bells.carillon": 14, "metal.bells.church": 14,
    "metal.bells.chimes": 14, "metal.bells.tinklebell": 112, "metal.cymbal.reverse": 119, "metal.crotales": 9,
    "pitched-percussion.bells": 9, "pitched-percussion.bell-lyre": 9, "pitched-percussion.glockenspiel": 9,
    "pitched-percussion.cimbalom": 15, "pitched-percussion.hammer-dulcimer": 15, "pitched-percussion.yangqin": 15,
    "pitched-percussion.handbells": 14, "pitched-percussion.handchimes": 14, "pitched-percussion.tubular-bells": 14,
    "pitched-percussion.tubes": 14, "pitched-percussion.kalimba": 108, "pitched-percussion.mbira": 108,
    "pitched-percussion.sanza": 108, "pitched-percussion.marimba": 12, "pitched-percussion.balafon": 12,
    "pitched-percussion.music-box": 10, "pitched-percussion.metallophone": 11,
    "pitched-percussion.vibraphone": 11, "pitched-percussion": 13,
    "pluck.bass": 33, "pluck.bass.acoustic": 32, "pluck.bass.guitarron": 32, "pluck.bass.fretless": 35,
    "pluck.bass.synth": 38, "pluck.bass.synth.lead": 87, "pluck.banjo": 105, "pluck.banjolele": 105,
    "pluck.harp": 46, "pluck.celtic-harp": 46, "pluck.kora": 46, "pluck.guitar": 24, "pluck.guitar.electric": 27,
    "pluck.guitar.pedal-steel": 25, "pluck.guitar.resonator": 25, "pluck.guitar.steel-string": 25,
    "pluck.guitar.acoustic": 24, "pluck.koto": 107, "pluck.guzheng": 107, "pluck.kayagum": 107,
    "pluck.mandolin": 25, "pluck.bouzouki": 25, "pluck.dulcimer": 15, "pluck.santoor": 15, "pluck.psaltery": 15,
    "pluck.shamisen": 106, "pluck.sanxian": 106, "pluck.sanshin": 106, "pluck.sitar": 104, "pluck.veena": 104,
    "pluck.tambura": 104, "pluck.synth": 84, "pluck.synth.chiff": 83, "pluck": 24,
    "rattle": 115,
    "strings.group": 48, "strings.group.synth": 50, "strings.violin": 40, "strings.fiddle": 110,
    "strings.viola": 41, "strings.viola-damore": 41, "strings.cello": 42, "strings.contrabass": 43,
    "strings.octobass": 43, "strings.viol": 42, "strings.viol.treble": 40, "strings.viol.alto": 41,
    "strings.viol.violone": 43, "strings.arpeggione": 42, "strings.baryton": 42, "strings": 40,
    "synth.effects.atmosphere": 99, "synth.effects.brightness": 100, "synth.effects.crystal": 98,
    "synth.effects.echoes": 102, "synth.effects.goblins": 101, "synth.effects.rain": 96,
    "synth.effects.sci-fi": 103, "synth.effects.soundtrack": 97, "synth.effects": 98, "synth.group": 50,
    "synth.group.fifths": 86, "synth.group.orchestra": 55, "synth.pad": 88, "synth.pad.bowed": 92,
    "synth.pad.choir": 91, "synth.pad.halo": 94, "synth.pad.metallic": 93, "synth.pad.polysynth": 90,
    "synth.pad.sweep": 95, "synth.pad.warm": 89, "synth.theremin": 80, "synth.tone.sawtooth": 81,
    "synth.tone.square": 80, "synth": 80,
    "voice": 52, "voice.aa": 52, "voice.oo": 53, "voice.doo": 53, "voice.mm": 53, "voice.synth": 54,
    "wind.flutes": 73, "wind.flutes.flute.piccolo": 72, "wind.flutes.recorder": 74, "wind.flutes.panpipes": 75,
    "wind.flutes.blown-bottle": 76, "wind.flutes.shakuhachi": 77, "wind.flutes.whistle": 78,
    "wind.flutes.ocarina": 79, "wind.flutes.calliope": 82, "wind.flutes.flageolet": 74, "wind.flutes.gemshorn": 74,
    "wind.jug": 76, "wind.pipes": 109, "wind.group": 68,
    "wind.reed": 68, "wind.reed.bassoon": 70, "wind.reed.contrabassoon": 70, "wind.reed.dulcian": 70,
    "wind.reed.rackett": 70, "wind.reed.sarrusaphone": 70, "wind.reed.clarinet": 71, "wind.reed.chalumeau": 71,
    "wind.reed.basset-horn": 71, "wind.reed.clarinette-damour": 71, "wind.reed.english-horn": 69,
    "wind.reed.oboe-da-caccia": 69, "wind.reed.harmonica": 22, "wind.reed.melodica": 22,
    "wind.reed.saxophone": 65, "wind.reed.saxophone.soprano": 64, "wind.reed.saxophone.sopranino": 64,
    "wind.reed.saxophone.sopranissimo": 64, "wind.reed.saxophone.tenor": 66, "wind.reed.saxophone.melody": 66,
    "wind.reed.saxophone.baritone": 67, "wind.reed.saxophone.bass": 67, "wind.reed.saxophone.contrabass": 67,
    "wind.reed.saxophone.subcontrabass": 67, "wind.reed.shawm": 111, "wind.reed.shenai": 111,
    "wind.reed.suona": 111, "wind.reed.zurna": 111,
    "wood": 115, "wood.agogo-block": 113,
}  # fmt: skip
PERCUSSIVE: Final = ("drum.", "metal.", "rattle.", "wood.", "effect.", "voice.percussion")
"""Beginnings of sounds that have no pitch, the pitched ones of `_SOUNDS` excepted."""


def program_of_sound(sound: str) -> int | None:
    """The General MIDI program of a MusicXML `instrument-sound`, None for unpitched percussion.

    >>> program_of_sound("brass.tuba"), program_of_sound("wind.reed.saxophone.alto"), program_of_sound("drum.bongo")
    (58, 65, None)
    """
    words = sound.strip().lower().split(".")
    for length in range(len(words), 0, -1):
        program = _SOUNDS.get(".".join(words[:length]))
        if program is not None and (length > 1 or len(words) < 2):
            return program
        if length == 2 and not sound.startswith(PERCUSSIVE):
            program = program_of_name(words[1].replace("-", " "))
            if program is not None:
                return program
    if sound.startswith(PERCUSSIVE):
        return None
    return _SOUNDS.get(words[0])


__all__ = ["PERCUSSIVE", "program_of_name", "program_of_sound"]
