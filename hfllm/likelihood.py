"""How likely does a model find a text that continues another? Multiple choice without asking for a letter.

    choose(model, tokenizer, [{"context": "The sky is", "continuations": [" blue", " Tuesday"]}]) == [0]

Source: Brown et al., arXiv 2005.14165, section 2.4: the choice of the highest likelihood, best per byte of text where
choices differ in length. Contexts and continuations are worded by the tasks (hfllm/tasks/arc.py and its like)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Likelihood(NamedTuple):
    """Of one continuation: the sum of its log-probabilities in nats, and what it can be divided by."""

    logp: float
    tokens: int
    bytes: int


@dataclass(frozen=True)
class _Encoded:
    """`ids[start:]` are scored; each is predicted by the one before it, so `start` is at least 1."""

    ids: list[int]
    start: int


def choose(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Mapping[str, Any]],
    *,
    batch_size: int = 16,
    normalise: Literal["bytes"] | None = "bytes",
) -> list[int]:
    """The index of the likeliest continuation of each row, which has a `context` and its `continuations`.

    `normalise` divides by the bytes of a continuation (the space that joins it not counted), as long choices are
    unlikely by their length alone; None is for choices of one length, such as letters."""
    pairs = [(row["context"], continuation) for row in rows for continuation in row["continuations"]]
    found = iter(log_likelihoods(model, tokenizer, pairs, batch_size))
    chosen = []
    for row in rows:
        likelihoods = islice(found, len(row["continuations"]))
        lengths = [max(len(text.strip().encode()), 1) if normalise else 1 for text in row["continuations"]]
        scores = [likelihood.logp / length for likelihood, length in zip(likelihoods, lengths, strict=True)]
        chosen.append(scores.index(max(scores)))
    return chosen


def log_likelihoods(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[tuple[str, str]],
    batch_size: int = 16,
) -> list[Likelihood]:
    """log P(continuation | context) of each pair (context, continuation), in the order of `pairs`.

    A context too long for the model loses its beginning; a continuation too long for it is a `UserMistake`.
    An empty continuation has log-probability 0 and no tokens."""
    import torch

    room = model.config.get_text_config().max_position_embeddings
    encoded = [_encode(tokenizer, context, continuation, room) for context, continuation in pairs]
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)  # by what the model reads
    for index, one in enumerate(encoded):
        if one.start < len(one.ids):
            groups[one.start, *one.ids[:-1]].append(index)
    # Like lengths together: less padding. Longest first: a batch that does not fit into memory says so at once.
    order = [groups[read] for read in sorted(groups, key=lambda read: (len(read), read[0]), reverse=True)]
    found = dict.fromkeys(range(len(pairs)), 0.0)
    with _evaluating(model), torch.inference_mode():
        for first in range(0, len(order), batch_size):
            batch = order[first : first + batch_size]
            logps = _batch_logps(model, [[encoded[index] for index in group] for group in batch])
            found.update(zip(chain(*batch), logps, strict=True))
    return [
        Likelihood(found[index], len(encoded[index].ids) - encoded[index].start, len(continuation.encode()))
        for index, (_, continuation) in enumerate(pairs)
    ]


@contextmanager
def _evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Without dropout, and as it was afterwards: a model may be measured in the middle of its training."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _encode(tokenizer: PreTrainedTokenizerBase, context: str, continuation: str, room: int) -> _Encoded:
    """Both as one text, since a token may reach over the boundary (`Answer: ` + `B` has the token ` B`).

    What the context alone would also begin with is context; a token that the continuation changed is scored."""
    ids: list[int] = tokenizer(context + continuation)["input_ids"]
    if not continuation:
        return _Encoded(ids, len(ids))
    start = _common(tokenizer(context)["input_ids"], ids)
    if start == 0:  # nothing before the first token, which only a mark for the beginning can predict
        ids, start = [_beginning(tokenizer), *ids], 1
    return _cut(_Encoded(ids, start), room, tokenizer.bos_token_id)


def _common(first: list[int], second: list[int]) -> int:
    """_common([5, 6, 7], [5, 6, 8, 9]) == 2"""
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(first), len(second)))


def _beginning(tokenizer: PreTrainedTokenizerBase) -> int:
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return token
    raise UserMistake(f"{tokenizer.name_or_path}: a text without a context needs a bos_token or eos_token before it")


def _cut(encoded: _Encoded, room: int, bos: int | None) -> _Encoded:
    """At most `room` tokens are read (the last is only predicted). A BOS stays: some models are lost without it."""
    excess = len(encoded.ids) - 1 - room
    if excess <= 0:
        return encoded
    if encoded.start - excess < 1:
        tokens = len(encoded.ids) - encoded.start
        raise UserMistake(f"a continuation of {tokens} tokens is longer than what the model can read: {room}")
    kept = encoded.ids[:1] if encoded.ids[0] == bos else []
    return _Encoded(kept + encoded.ids[len(kept) + excess :], encoded.start - excess)


def _batch_logps(model: PreTrainedModel, groups: list[list[_Encoded]]) -> list[float]:
    """One after another. A group differs in its last tokens only (letters to choose from), so it is read once."""
    import torch

    rows = [group[0] for group in groups]
    first, longest = min(row.start for row in rows), max(len(row.ids) for row in rows)
    lengths = torch.tensor([[len(row.ids) - 1] for row in rows])
    ids = torch.tensor([row.ids[:-1] + [0] * (longest - len(row.ids)) for row in rows])  # (B, T)
    mask = (torch.arange(longest - 1) < lengths).long()  # (B, T), on the right: positions need no mending
    logits = model(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        use_cache=False,
        logits_to_keep=longest - first,  # all would be B x T x V numbers, and V may be 262,144
    ).logits  # (B, longest - first, V)
    sums = [
        _sums(row[group[0].start - first : len(group[0].ids) - first], group)
        for row, group in zip(logits, groups, strict=True)
    ]
    return torch.cat(sums).tolist()


def _sums(logits: Tensor, group: list[_Encoded]) -> Tensor:
    """log-probabilities (members of the group,) under the logits (scored tokens, V) of what they share."""
    import torch

    logps = logits.float().log_softmax(-1)
    shared = torch.tensor(group[0].ids[group[0].start : -1], dtype=torch.long, device=logits.device)
    last = torch.tensor([member.ids[-1] for member in group], device=logits.device)
    return logps[:-1].gather(1, shared[:, None]).sum() + logps[-1, last]
