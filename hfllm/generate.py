"""What does a model answer, many conversations at a time, and with tools?

    answers = generate(model, tokenizer, conversations, sampling=Sampling(1.0, seed=0), max_new_tokens=200,
                       tools=tools.find({"calculator": {}}))

Each answer is drawn by transformers' `generate` in left-padded batches. When it ends in a tool call, the tool runs, its
result is appended, and the model goes on: the ids before it stay as they were drawn. Nothing but temperature, top_k and
top_p changes the distribution, whatever the model's generation_config says: a trainer scores these answers again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hfllm import calls
from hfllm.chat.model import Message, context_of, encode_chat, stop_ids_of
from hfllm.chat.sampling import Sampling
from hfllm.completion import text_of
from hfllm.tools import Tool, schemas
from hfllm.untrusted import control_tokens

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Answer:
    """What a model added to a conversation, results of tools included."""

    messages: list[Message]  # assistant, and tool + assistant again for every call
    ids: list[int]  # (T,) behind the prompt
    own: list[bool]  # (T,) whether the model drew the token: the loss is on these only
    ended: bool  # by a stop token (the last one may be that of a call too many), not by running out of room

    @property
    def text(self) -> str:
        """The last words of the model, its thoughts included."""
        return text_of(self.messages)


@dataclass
class _Draft:
    """An answer that is being written."""

    prompt: list[int]
    room: int  # tokens that still fit
    ids: list[int] = field(default_factory=list)
    own: list[bool] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    begun: int = 0  # where in `ids` the message that is being written begins
    called: int = 0
    finished: bool = False
    ended: bool = False

    def add(self, new: list[int], own: bool) -> None:
        self.ids += new
        self.own += [own] * len(new)
        self.room -= len(new)


@dataclass(frozen=True)
class _Talk:
    """What the messages of all answers have in common."""

    tokenizer: PreTrainedTokenizerBase
    stop_ids: set[int]
    tools: Sequence[Tool]
    schemas: list[dict[str, Any]]
    max_tool_calls: int

    def close(self, draft: _Draft) -> None:
        """Read the message that has come to its end, run what it calls; the draft then goes on, or is finished."""
        stopped = bool(draft.ids) and draft.ids[-1] in self.stop_ids
        written = draft.ids[draft.begun : len(draft.ids) - stopped]
        message, found = calls.read(self.tokenizer, draft.prompt + draft.ids[: draft.begun], written, self.schemas)
        draft.messages.append(message)
        draft.finished, draft.ended = True, stopped
        if stopped and found and self.tools and draft.called + len(found) <= self.max_tool_calls:
            self._go_on(draft, found)

    def _go_on(self, draft: _Draft, found: list[calls.Call]) -> None:
        results = calls.run(found, self.tools, control_tokens(self.tokenizer))
        new = calls.continuation(self.tokenizer, results, self.stop_ids)[1:]  # the stop token was drawn
        if len(new) >= draft.room:
            draft.ended = False
            return
        draft.add(new, own=False)
        draft.messages += results
        draft.begun, draft.called, draft.finished = len(draft.ids), draft.called + len(found), False


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[list[Message]],
    *,
    sampling: Sampling,
    max_new_tokens: int,
    tools: Sequence[Tool] = (),
    max_tool_calls: int = calls.MAX_TOOL_CALLS,
    batch_size: int = 64,
    stop_ids: set[int] | None = None,
) -> list[Answer]:
    """One answer for each conversation, in their order; no messages of theirs can become special tokens.

    `max_new_tokens` counts the results of tools too; so does the model's context, with the prompt. An answer without
    room for a result ends before it. The same seed gives the same answers for the same conversations and batch size;
    without one torch's own generator decides. Raises `UserMistake` for a chat template that knows no tools."""
    stops = stop_ids or stop_ids_of(model, tokenizer)
    talk = _Talk(tokenizer, stops, tools, schemas(tools), max_tool_calls)
    if tools:
        calls.check(tokenizer, talk.schemas, stops)
    conversations = list(conversations)  # a lazy column would make them anew, and `id` would tell them apart no more
    prompts = {id(messages): encode_chat(tokenizer, messages, tools=talk.schemas) for messages in conversations}
    context = context_of(model)
    drafts = [
        _Draft(prompt, min(max_new_tokens, context - len(prompt)))
        for prompt in (prompts[id(messages)] for messages in conversations)
    ]
    with _drawing(model, sampling.seed):
        _write(model, drafts, talk, sampling, batch_size)
    return [Answer(draft.messages, draft.ids, draft.own, draft.ended) for draft in drafts]


def _write(model: PreTrainedModel, drafts: list[_Draft], talk: _Talk, sampling: Sampling, batch_size: int) -> None:
    """Bring every draft to its end: in rounds, because some go on after a tool call."""
    for draft in drafts:
        if draft.room < 1:
            talk.close(draft)
    context = context_of(model)
    while waiting := [draft for draft in drafts if not draft.finished]:
        waiting.sort(key=lambda draft: len(draft.prompt) + len(draft.ids))  # rows are padded to the longest in a batch
        for start in range(0, len(waiting), batch_size):
            batch = waiting[start : start + batch_size]
            before = [draft.prompt + draft.ids for draft in batch]
            # not beyond the context with any row: learned positions have an end, even for rows that are done
            most = min(max(draft.room for draft in batch), context - max(map(len, before)))
            for draft, new in zip(batch, _draw(model, before, most, talk, sampling), strict=True):
                draft.add(new[: draft.room], own=True)
                if draft.room == 0 or new[-1] in talk.stop_ids:
                    talk.close(draft)


def _draw(model: PreTrainedModel, rows: list[list[int]], most: int, talk: _Talk, sampling: Sampling) -> list[list[int]]:
    """Up to `most` new tokens behind each row, the stop token included."""
    import torch

    pad = talk.tokenizer.pad_token_id or 0  # any token does: the mask hides it
    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=model.device)  # (B, T)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)  # (B, T)
    config = _generation_config(sampling, most, talk.stop_ids, pad)
    new = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)[:, width:]  # (B, at most `most`)
    return [_up_to_stop(row, talk.stop_ids) for row in new.tolist()]


def _generation_config(sampling: Sampling, most: int, stop_ids: set[int], pad: int) -> GenerationConfig:
    """Drawn as `sampling` says. `_drawing` sees to it that nothing is filled in from the model's own config."""
    from transformers import GenerationConfig

    drawn: dict[str, Any] = {"do_sample": False}
    if sampling.temperature > 0:
        drawn = {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_k": sampling.top_k or 0,
            "top_p": sampling.top_p or 1.0,
            "min_p": 0.0,
        }
    return GenerationConfig(
        max_new_tokens=most,
        eos_token_id=sorted(stop_ids),
        pad_token_id=pad,
        num_beams=1,
        use_cache=True,  # off in the config of a model that was trained with gradient checkpointing
        **drawn,
    )


def _up_to_stop(row: list[int], stop_ids: set[int]) -> list[int]:
    """_up_to_stop([5, 2, 0, 0], {2}) == [5, 2]"""
    end = next((place for place, token in enumerate(row) if token in stop_ids), len(row))
    return row[: end + 1]


@contextmanager
def _drawing(model: PreTrainedModel, seed: int | None) -> Iterator[None]:
    """Without dropout, without the model's own generation_config, which may hold back or favour tokens, and with a seed
    of its own that leaves torch's generators as they were."""
    import torch
    from transformers import GenerationConfig

    was_training, own_config = model.training, model.generation_config
    model.eval()
    model.generation_config = GenerationConfig()
    try:
        with torch.random.fork_rng(
            devices=[model.device] if model.device.type == "cuda" else [], enabled=seed is not None
        ):
            if seed is not None:
                torch.manual_seed(seed)
            yield
    finally:
        model.train(was_training)
        model.generation_config = own_config
