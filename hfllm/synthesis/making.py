"""Making what is missing: one file of conversations as they were written, to which runs add.

    make(config) -> [{"number": 0, "source": "volcanoes", "messages": [...], ...}, ...]

A file is named after all that decides what is made, so that a run with other limits, or one that was cut off, asks for
nothing twice, and a run with another model does not mix."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import data, json_lines, models, progress, threads
from hfllm.chat.model import is_base, load, load_tokenizer
from hfllm.chat.sampling import Sampling
from hfllm.errors import UserMistake
from hfllm.generate import generate
from hfllm.synthesis import talking
from hfllm.synthesis.config import SynthesisConfig, key_of
from hfllm.synthesis.dialogue import Draft, Message, Reply, Seed, Talk, dialogue, pick
from hfllm.synthesis.endpoint import Endpoint, Pace

if TYPE_CHECKING:
    from hfllm.chat.model import Talker

Row = dict[str, Any]
TalkOf = Callable[[int], Talk]
Writer = Callable[[list[int], TalkOf], Iterator[list[tuple[int, Draft | str]]]]

# What decides what is made; the rest decides what is kept.
MADE_BY = (
    *("model_name_or_path", "endpoint", "model", "topics", "document_characters", "turns", "user_style"),
    *("first_message", "assistant_style", "temperature", "top_p", "max_new_tokens", "seed", "batch_size"),
)


def make(config: SynthesisConfig) -> list[Row]:
    """All conversations as they were made, those of earlier runs included, by their number."""
    file = made_file(config)
    made = earlier(file)
    missing = [number for number in range(config.rows) if number not in made]
    if missing:
        json_lines.write(file, list(made.values()))
        seed_of = seeds(config)
        batches = writer(config)(missing, lambda number: talk(config, seed_of(number)))
        with file.open("a", encoding="utf-8") as out:
            for batch in batches:
                rows = [row(number, seed_of(number), came) for number, came in batch if number not in made]
                out.writelines(map(json_lines.line, rows))
                out.flush()
                made |= {one["number"]: one for one in rows}
                progress.report(len(made), config.rows, spent(config, made.values()))
    return [made[number] for number in range(config.rows)]


def made_file(config: SynthesisConfig) -> Path:
    return Path(f"{config.output_dir.rstrip('/')}.made", f"{digest(config)}.jsonl")


def digest(config: SynthesisConfig) -> str:
    """Eight letters that change with anything that decides what is made."""
    settings: dict[str, Any] = {name: getattr(config, name) for name in MADE_BY}
    settings["batch_size"] = None if config.endpoint else config.batch_size  # which conversations are drawn together
    settings["datasets"] = data.fingerprint(config.datasets)
    folder = Path(config.model_name_or_path or "")
    settings["files"] = data.stamps(folder) if config.model_name_or_path and folder.exists() else None
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def earlier(file: Path) -> dict[int, Row]:
    """What earlier runs made, without a last line that was cut off."""
    return {one["number"]: one for one in json_lines.read(file)}


def seeds(config: SynthesisConfig) -> Callable[[int], Seed]:
    """What each conversation is about."""
    texts: Sequence[str] = data.texts(config.datasets)["text"] if config.datasets else []

    def document(place: int) -> str:
        return texts[place][: config.document_characters].strip()

    return lambda number: pick(
        config.topics, document, len(texts), number, config.seed, given=config.first_message == "given"
    )


def talk(config: SynthesisConfig, seed: Seed) -> Talk:
    return dialogue(seed, config.turns, config.user_style, config.assistant_style)


def row(number: int, seed: Seed, came: Draft | str) -> Row:
    """`refused` says why the server would not write it; the messages are none then."""
    draft, refused = (Draft(), came) if isinstance(came, str) else (came, None)
    return {"number": number, "source": seed.source, "refused": refused, **asdict(draft)}


def writer(config: SynthesisConfig) -> Writer:
    """The side that writes; given numbers of conversations, it gives them, and those drawn with them, as they come."""
    return from_endpoint(config) if config.endpoint else from_model(config)


def from_endpoint(config: SynthesisConfig) -> Writer:
    options = {"temperature": config.temperature, "max_tokens": config.max_new_tokens}
    options |= {"top_p": config.top_p} if config.top_p is not None else {}
    endpoint = Endpoint(
        str(config.endpoint),
        str(config.model),
        key_of(config.api_key_variable),
        Pace(config.requests_per_minute),
        options,
        config.retries,
        config.timeout_seconds,
    )
    return lambda numbers, talk_of: (
        [one] for one in talking.one_by_one(numbers, talk_of, endpoint, config.seed, config.batch_size)
    )


def from_model(config: SynthesisConfig) -> Writer:
    name = models.find_model(str(config.model_name_or_path))
    if is_base(name, load_tokenizer(name)):
        raise UserMistake(f"model_name_or_path: {name} has not learned to answer; run the stage sft first")

    from transformers.utils import logging

    logging.disable_progress_bar()  # of loading weights
    threads.choose(None)
    talker = load(name, base=False)

    def batches(numbers: list[int], talk_of: TalkOf) -> Iterator[list[tuple[int, Draft | str]]]:
        for batch in whole_batches(numbers, config.batch_size, config.rows):
            rng = random.Random(f"{config.seed}/{batch[0]}")
            drafts = talking.in_step([talk_of(number) for number in batch], partial(ask, config, talker, rng))
            yield list(zip(batch, drafts, strict=True))

    return batches


def whole_batches(numbers: list[int], size: int, rows: int) -> list[list[int]]:
    """Those that hold one of the numbers: whole_batches([3], size=2, rows=5) == [[2, 3]]

    A run that was cut off inside a batch draws all of it again, or what is missing would be other than without that."""
    starts = sorted({number // size * size for number in numbers})
    return [list(range(start, min(start + size, rows))) for start in starts]


def ask(config: SynthesisConfig, talker: Talker, rng: random.Random, prompts: list[list[Message]]) -> list[Reply]:
    """One answer for each prompt, of a model that is here."""
    answers = generate(
        talker.model,
        talker.tokenizer,
        prompts,
        sampling=Sampling(config.temperature, None, config.top_p, seed=rng.getrandbits(62)),
        max_new_tokens=config.max_new_tokens,
        batch_size=config.batch_size,
    )
    read = [len(talker.encode(messages)) for messages in prompts]
    return [
        Reply(answer.text, answer.ended, tokens, len(answer.ids)) for answer, tokens in zip(answers, read, strict=True)
    ]


def cost(config: SynthesisConfig, made: list[Row]) -> float:
    """In the currency of the recipe's prices."""
    read, wrote = (sum(one[name] for one in made) for name in ("input_tokens", "output_tokens"))
    return (read * config.input_price + wrote * config.output_price) / 1e6


def spent(config: SynthesisConfig, made: Any) -> str:
    rows = list(made)
    tokens = sum(one["input_tokens"] + one["output_tokens"] for one in rows)
    price = f", cost {cost(config, rows):.2f}" if config.input_price or config.output_price else ""
    return f"{tokens:,} tokens{price}"
