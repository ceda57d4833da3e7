"""A text cut by a tokenizer into pieces that can be shown.

    segments.view("Hello 👋", "runs/tiny/tokenizer").segments[-1]  # Segment(text="👋", ids=[172, 253, 239, 233])

Reads tokenizer.json of a folder or of the Hub, and chat_template.jinja if the text is to be a user's message; imports
neither torch nor transformers. Grouping the tokens of one visible character follows Tiktokenizer
(github.com/dqbd/tiktokenizer, src/utils/segments.ts)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

import regex  # type: ignore[import-untyped]

from hfllm.errors import UserMistake
from hfllm.tokenizing import bpe

if TYPE_CHECKING:
    from tokenizers import Encoding

NAMED_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")  # a chat template may name them


@dataclass
class Segment:
    """The smallest piece that can be shown: whole characters, as people see them, and the tokens that make them up."""

    text: str
    ids: list[int] = field(default_factory=list)  # none: text that the tokenizer drops
    special: bool = False

    @property
    def bytes(self) -> int:
        return 0 if self.special else len(self.text.encode())


@dataclass
class View:
    """One text as one tokenizer cuts it."""

    name: str
    segments: list[Segment]
    vocab_size: int

    @property
    def tokens(self) -> int:
        return sum(len(segment.ids) for segment in self.segments)

    @property
    def bytes(self) -> int:
        return sum(segment.bytes for segment in self.segments)

    @property
    def bytes_per_token(self) -> float:
        """Of the tokens that are text; special tokens count on neither side."""
        tokens = sum(len(segment.ids) for segment in self.segments if not segment.special)
        return self.bytes / tokens if tokens else 0.0


def view(text: str, tokenizer_path: str, *, chat: bool = False) -> View:
    """Cut `text` exactly as `AutoTokenizer.from_pretrained(path)(text)` does, its BOS included.

    With `chat` the text becomes a user's message in the folder's chat template, which writes the BOS itself."""
    tokenizer = bpe.load(tokenizer_path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if chat:
        text = as_user_message(text, tokenizer_path)
    encoding = tokenizer.encode(text, add_special_tokens=not chat)
    segments = list(_segments(text, encoding, bpe.special_tokens(tokenizer)))
    return View(tokenizer_path, segments, tokenizer.get_vocab_size())


def as_user_message(text: str, tokenizer_path: str) -> str:
    """The text a chat model is given when a user writes `text`: rendered as transformers does, without importing it."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    template = bpe.read(tokenizer_path, "chat_template.jinja")
    config = json.loads(bpe.read(tokenizer_path, "tokenizer_config.json") or "{}")
    template = template or config.get("chat_template")
    if not isinstance(template, str):
        raise UserMistake(f"tokenizer {tokenizer_path!r} has no chat template; leave out --chat.")
    # `generation` marks the trained part, a tag that only transformers knows: here it may as well be `if true`
    template = re.sub(r"(\{%-?\s*)generation(\s*-?%\})", r"\1if true\2", template)
    template = re.sub(r"(\{%-?\s*)endgeneration(\s*-?%\})", r"\1endif\2", template)
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals |= {"raise_exception": _refuse, "strftime_now": datetime.now().strftime}
    names = {key: _content(config[key]) for key in NAMED_TOKENS if config.get(key)}
    messages = [{"role": "user", "content": text}]
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True, **names)


def _refuse(reason: str) -> NoReturn:
    raise UserMistake(f"the chat template refuses the conversation: {reason}")


def _content(token: str | dict[str, str]) -> str:
    """Older folders save a named token as {"content": "<s>", "lstrip": false, ...}."""
    return token if isinstance(token, str) else token["content"]


def _segments(text: str, encoding: Encoding, special: dict[int, str]) -> Iterator[Segment]:
    """Put each token's text beside it; text that no token stands for becomes a segment without ids."""
    done = 0  # characters of `text` already given out
    for start, end, ids in _groups(text, encoding, special):
        if start > done:
            yield Segment(text[done:start])
        if ids[0] in special:
            yield Segment(special[ids[0]], ids, special=True)
        else:
            yield Segment(text[max(start, done) : end], ids)
        done = max(done, end)
    if done < len(text):
        yield Segment(text[done:])


def _groups(text: str, encoding: Encoding, special: dict[int, str]) -> list[tuple[int, int, list[int]]]:
    """(start, end, ids): neighbours joined where the cut between them lies inside a visible character."""
    cuts = {0} | {found.end() for found in regex.finditer(r"\X", text)}  # between visible characters, such as 👩‍👩‍👧
    groups: list[tuple[int, int, list[int]]] = []
    for id, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
        before_start, before_end, ids = groups[-1] if groups else (0, 0, [])
        inside = start < before_end or before_end not in cuts
        if ids and inside and ids[0] not in special and id not in special:
            groups[-1] = (before_start, max(before_end, end), [*ids, id])
        else:
            groups.append((start, end, [id]))
    return groups
