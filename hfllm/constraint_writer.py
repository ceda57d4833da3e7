"""Is there a text that keeps to all of these instructions? One is built: dull to read, but every condition holds.

    write([("keywords:existence", {"keywords": ["moon"]}), ("startend:quotation", {})])

It serves as the right answer where a task asks for form only: to audit rewards and checkers, not to learn from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from math import ceil
from typing import Any

from hfllm.constraints import follows

Instruction = tuple[str, dict[str, Any]]

# Tried in this order: ordinary English, without the letter e, without a and i, without c, p and w, very short.
ENGLISH = (
    (
        *("The sun is warm and the people of this town are glad to see it", "They walk to the market in the morning"),
        *("Children play near the old bridge", "Some of them sing while others look at the boats on the river"),
        *("Later there will be soup and bread for everybody", "Nothing else happens on such a quiet day"),
        *("Even the dogs sleep under the trees", "When evening comes the lights are lit one by one"),
    ),
    ("It is a warm day and all of us go on with our work", "Our old dog runs among us and is happy"),
    ("She goes home soon to see her own new house", "There she sleeps well"),
    ("The sun is here so they all go to the sea", "The boats are at rest and the day is long"),
    ("We see the sun", "It is a good day"),
    ("Yes",),
)

# Article 1 of the Universal Declaration of Human Rights (United Nations, 1948), first sentence, without its commas.
LANGUAGES = {
    "ar": "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق",
    "bg": "Всички хора се раждат свободни и равни по достойнство и права",
    "bn": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos",
    "fa": "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند",
    "fi": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits",
    "gu": "પ્રતિષ્ઠા અને અધિકારોની દૃષ્ટિએ સર્વ માનવો જન્મથી સ્વતંત્ર અને સમાન હોય છે",
    "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti",
    "ja": "すべての人間は生まれながらにして自由でありかつ尊厳と権利とについて平等である",
    "kn": "ಎಲ್ಲಾ ಮಾನವರೂ ಸ್ವತಂತ್ರರಾಗಿಯೇ ಜನಿಸಿದ್ದಾರೆ ಹಾಗೂ ಘನತೆ ಮತ್ತು ಹಕ್ಕುಗಳಲ್ಲಿ ಸಮಾನರಾಗಿದ್ದಾರೆ",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다",
    "ml": "മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടും അന്തസ്സോടും സ്വാതന്ത്ര്യത്തോടുംകൂടി ജനിച്ചവരാണ്",
    "mr": "सर्व मानवी व्यक्ती जन्मतःच स्वतंत्र आहेत व त्यांना समान प्रतिष्ठा व समान अधिकार आहेत",
    "ne": "सबै व्यक्तिहरू जन्मजात स्वतन्त्र हुन् ती सबैको समान अधिकार र महत्व छ",
    "pa": "ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ ਆਪਣੀ ਮਹਿਮਾ ਸ਼ਾਨ ਅਤੇ ਹੱਕਾਂ ਦੇ ਪੱਖੋਂ ਜਨਮ ਤੋਂ ਹੀ ਆਜ਼ਾਦ ਹੈ ਅਤੇ ਬਰਾਬਰ ਹੈ",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах",
    "sw": "Watu wote wamezaliwa huru hadhi na haki zao ni sawa",
    "ta": "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்",
    "te": "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "uk": "Всі люди народжуються вільними і рівними у своїй гідності та правах",
    "ur": "تمام انسان آزاد اور حقوق و عزت کے اعتبار سے برابر پیدا ہوئے ہیں",
    "vi": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi",
}
USUAL_SENTENCES = 3


@dataclass
class _Plan:
    """What the text must have; what it must not have is left to the choice of the sentences."""

    names: set[str]
    sentences: int = 1  # at least
    few: bool = False  # there is an upper limit of sentences or words
    words: int = 0  # at least
    parts: int = 1  # paragraphs or sections
    divider: str = "\n"
    heading: str = ""
    opening: tuple[int, str] | None = None  # the first word of which part, counted from 0
    fragments: list[str] = field(default_factory=list)  # words and marks without a full stop
    bullets: int = 0
    highlights: int = 0
    placeholders: int = 0
    capitals: int = 0
    language: str = "en"
    begin: str = ""
    marker: str = ""
    end: str = ""


def write(instructions: Sequence[Instruction]) -> str:
    """A text that keeps to all instructions; where none was found (they contradict each other), one that tries."""
    plan = _plan(instructions)
    pools = ENGLISH if plan.language == "en" else ((LANGUAGES[plan.language],),)
    texts = [_render(plan, pool) for pool in pools]
    good = (text for text in texts if all(follows(name, text, arguments) for name, arguments in instructions))
    return next(good, texts[0])


def _plan(instructions: Sequence[Instruction]) -> _Plan:
    plan = _Plan({name.partition(":")[2] for name, _ in instructions})
    for name, arguments in instructions:
        given = {key: value for key, value in arguments.items() if value is not None}
        _add_size(plan, name.partition(":")[2], given)
        _add_content(plan, name.partition(":")[2], given)
    return plan


def _add_size(plan: _Plan, name: str, given: dict[str, Any]) -> None:
    match name, given:
        case "number_sentences", {"relation": "at least", "num_sentences": number}:
            plan.sentences = ceil(number)
        case "number_sentences" | "number_words", {"relation": "less than"}:
            plan.few = True
        case "number_words", {"relation": "at least", "num_words": number}:
            plan.words = ceil(number)
        case "number_paragraphs", {"num_paragraphs": number}:
            plan.parts, plan.divider = int(number), "\n***\n"
        case "nth_paragraph_first_word", {"num_paragraphs": number, "nth_paragraph": nth, "first_word": word}:
            plan.parts, plan.divider, plan.opening = int(number), "\n\n", (int(nth) - 1, word)
        case "multiple_sections", {"num_sections": number, "section_spliter": heading}:
            plan.parts, plan.heading = ceil(number), heading


def _add_content(plan: _Plan, name: str, given: dict[str, Any]) -> None:
    match name, given:
        case "existence", {"keywords": keywords}:
            plan.fragments += keywords
        case "frequency", {"relation": "at least", "keyword": keyword, "frequency": number}:
            plan.fragments += [keyword.strip()] * ceil(number)
        case "letter_frequency", {"let_relation": "at least", "letter": letter, "let_frequency": number}:
            plan.fragments.append(letter * ceil(number))
        case "capital_word_frequency", {"capital_relation": "at least", "capital_frequency": number}:
            plan.capitals = ceil(number)
        case "number_bullet_lists", {"num_bullets": number}:
            plan.bullets = int(number)
        case "number_highlighted_sections", {"num_highlights": number}:
            plan.highlights = ceil(number)
        case "number_placeholders", {"num_placeholders": number}:
            plan.placeholders = ceil(number)
        case "response_language", {"language": language}:
            plan.language = language
        case "repeat_prompt", {"prompt_to_repeat": prompt}:
            plan.begin = prompt
        case "postscript", {"postscript_marker": marker}:
            plan.marker = marker
        case "end_checker", {"end_phrase": phrase}:
            plan.end = phrase


def _render(plan: _Plan, pool: Sequence[str]) -> str:
    parts = _parts(plan, _sentences(plan, pool))
    body = plan.divider.join(parts)
    if "two_responses" in plan.names:
        body += f"\n******\n{pool[-1]}!"
    lines = [plan.begin, body, f"{plan.marker.rstrip('.')}. {pool[0]}." if plan.marker else "", plan.end]
    return _wrapped(plan, "\n".join(line for line in lines if line), pool[0].split()[0])


def _sentences(plan: _Plan, pool: Sequence[str]) -> list[str]:
    number = max(plan.sentences, plan.parts, 1 if plan.few else USUAL_SENTENCES)
    if plan.language != "en" and plan.begin:
        number += len(plan.begin) // 10  # to outweigh the repeated request, which is in another language
    words = sum(len(sentence.split()) for sentence in islice(cycle(pool), number))
    clauses = islice(cycle(pool), number * max(1, ceil(plan.words / words)))
    sentences = [list(islice(clauses, max(1, ceil(plan.words / words)))) for _ in range(number)]
    first = ["My answer is yes."] if "constrained_response" in plan.names else []
    return first + [" and ".join([part[0], *(clause.lower() for clause in part[1:])]) + "." for part in sentences]


def _parts(plan: _Plan, sentences: list[str]) -> list[str]:
    """The sentences dealt out to paragraphs or sections; the last one has all that is no sentence."""
    parts = []
    for index in range(plan.parts):
        lines = [" ".join(sentences[index :: plan.parts])]
        if plan.opening and plan.opening[0] == index:
            lines[0] = f"{plan.opening[1]} {lines[0]}"
        if index == plan.parts - 1:
            lines = _fragments(plan, sentences[0].split()[0]) + lines
        if plan.heading:
            lines.insert(0, f"{plan.heading} {index + 1}")
        parts.append("\n".join(lines))
    return parts


def _fragments(plan: _Plan, word: str) -> list[str]:
    marks = [f"<<{word}>>"] if "title" in plan.names else []
    marks += [f"*{word}*"] * plan.highlights + [f"[{word}]"] * plan.placeholders + [word.upper()] * plan.capitals
    loose = " ".join(marks + plan.fragments)
    return [f"{word} {loose}"] * bool(loose) + [f"* {word}"] * plan.bullets


def _wrapped(plan: _Plan, text: str, key: str) -> str:
    if "json_format" in plan.names:
        text = json.dumps({key: text}, ensure_ascii=False)
    if "english_capital" in plan.names:
        text = text.upper()
    if "english_lowercase" in plan.names:
        text = text.lower()
    return f'"{text}"' if "quotation" in plan.names else text
