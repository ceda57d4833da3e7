"""Where does the next token come from? The model gives a distribution over the vocabulary, and we draw from it.

    for step in stream(model, prompt_ids, Sampling(temperature=0.7), max_new_tokens=100, stop_ids={2}): ...

Reads a loaded `transformers` model and token ids; gives one Step a token. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RULES: dict[str, tuple[Callable[[float], bool], str]] = {
    "temperature": (lambda value: 0 <= value < float("inf"), "a number from 0 (greedy) upwards"),
    "top_k": (lambda value: value >= 1, "a whole number from 1 upwards"),
    "top_p": (lambda value: 0 < value <= 1, "above 0 and at most 1"),
    "seed": (lambda value: 0 <= value < 2**63, "a whole number from 0 upwards"),
    "max_new_tokens": (lambda value: value >= 1, "a whole number from 1 upwards"),
}
DEFAULT_TEMPERATURE = 0.7  # chosen by us: livelier than 0, and a small model still keeps to what it knows
CANDIDATES = 6  # what fits above one another without pushing the text off the screen


@dataclass
class Sampling:
    """How to draw. Temperature 0 takes the likeliest token; None leaves a cut or the seed out."""

    temperature: float = DEFAULT_TEMPERATURE
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None


@dataclass
class Step:
    """One drawn token, and the likeliest candidates it was drawn among as (token, probability), best first."""

    token: int
    candidates: list[
        tuple[int, float]
    ]  # without those of probability 0; the drawn one is always there, if need be last


def check_options(values: dict[str, float | None]) -> None:
    """Raise one UserMistake for all values out of range; keys as the user wrote them, such as --top-k or /seed."""
    if wrong := [f"{name} {message}" for name, message in out_of_range(values)]:
        raise UserMistake("\n".join(wrong))


def out_of_range(values: Mapping[str, float | None]) -> Iterator[tuple[str, str]]:
    """list(out_of_range({"top_p": 2.0})) == [("top_p", "2.0: must be above 0 and at most 1")]"""
    for name, value in values.items():
        good, rule = RULES[name.lstrip("-/").replace("-", "_")]
        if value is not None and not good(value):
            yield name, f"{value}: must be {rule}"


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """Probabilities (V,) of the next token from logits (V,): temperature, then top-k, then top-p, as transformers does.

    Logits log(0.5, 0.3, 0.2) with top_p 0.7 -> (0.625, 0.375, 0). At temperature 0 this is the model's own
    distribution, because there is nothing to draw: see `choose`."""
    import torch

    logits = logits.float() / (sampling.temperature or 1.0)
    if sampling.top_k is not None and sampling.top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(sampling.top_k).values[-1], -torch.inf)
    probabilities = logits.softmax(-1)
    if sampling.top_p is None:
        return probabilities
    # nucleus sampling (arXiv 1904.09751, 3.1): the smallest set of the likeliest tokens that reaches top_p
    sorted_probabilities, order = probabilities.sort(descending=True)
    outside = sorted_probabilities.cumsum(-1) - sorted_probabilities >= sampling.top_p  # the likeliest always stays
    probabilities[order[outside]] = 0.0
    return probabilities / probabilities.sum()


def choose(probabilities: Tensor, sampling: Sampling, generator: Generator) -> int:
    """Draw one token from probabilities (V,), or take the likeliest at temperature 0."""
    import torch

    if sampling.temperature == 0:
        return int(probabilities.argmax())
    return int(torch.multinomial(probabilities, 1, generator=generator))


def stream(
    model: PreTrainedModel, prompt: Sequence[int], sampling: Sampling, max_new_tokens: int, stop_ids: set[int]
) -> Iterator[Step]:
    """Tokens after `prompt` (at least one id), one at a time, until a stop token (not given out) or `max_new_tokens`.

    The same prompt, sampling and seed give the same tokens on the same machine."""
    import torch

    generator = torch.Generator()  # on the CPU, so that a seed does not depend on the accelerator
    if sampling.seed is None:
        generator.seed()
    else:
        generator.manual_seed(sampling.seed)
    cache = None  # keys and values of all tokens so far: each step feeds the model one new token only
    tokens = torch.tensor([list(prompt)], device=model.device)  # (1, T)
    for _ in range(max_new_tokens):
        with torch.no_grad():
            output = model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = output.past_key_values
        probabilities = distribution(output.logits[0, -1].cpu(), sampling)
        token = choose(probabilities, sampling, generator)
        if token in stop_ids:
            return
        yield _step(token, probabilities)
        tokens = torch.tensor([[token]], device=model.device)  # (1, 1)


def _step(token: int, probabilities: Tensor) -> Step:
    best = probabilities.topk(min(CANDIDATES, len(probabilities)))
    candidates = [pair for pair in zip(best.indices.tolist(), best.values.tolist(), strict=True) if pair[1] > 0]
    if token not in dict(candidates):
        candidates.append((token, float(probabilities[token])))
    return Step(token, candidates)


class TextStream:
    """Turns tokens into text as they come, and holds back a character whose bytes are not all there yet.

    A token may end in the middle of a UTF-8 character: the tokenizer decodes what is missing as U+FFFD at the end, so
    up to three of these wait (a character has four bytes at most; byte-fallback tokenizers write one a byte)."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, prompt: Sequence[int] = ()) -> None:
        """`prompt` are the ids before: a SentencePiece decoder drops the space of the first word it sees."""
        self.tokenizer = tokenizer
        self.ids = list(prompt[-4:])  # enough to not be at the start, and to end in whole characters
        self.shown = self._decode()

    def push(self, token: int) -> str:
        """The new text that is certain after `token`; often empty for emoji and other scripts."""
        self.ids.append(token)
        text = self._decode()
        waiting = min(3, len(text) - len(text.rstrip("\ufffd")))
        return self._new(text[: len(text) - waiting])

    def flush(self) -> str:
        """What is still held back, when no more tokens come."""
        return self._decode()[len(self.shown) :]

    def _new(self, text: str) -> str:
        if not text.startswith(self.shown):  # a run of byte tokens is decoded together: wait until it is whole again
            return ""
        new = text[len(self.shown) :]
        self.shown = text
        return new

    def _decode(self) -> str:
        return self.tokenizer.decode(self.ids, clean_up_tokenization_spaces=False)
