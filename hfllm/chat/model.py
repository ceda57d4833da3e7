"""What does the model read for a conversation? Loading it, laying out its prompt, and making room in its context.

    talker = load("runs/tiny/sft", base=False)
    prompt = talker.prompt([{"role": "user", "content": "Hello"}], max_new_tokens=100)

Text of the user never becomes a special token, whatever is typed."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import receipt
from hfllm.errors import UserMistake
from hfllm.models import adapter_base
from hfllm.untrusted import control_tokens, neutral_message

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Message = dict[str, Any]


@dataclass
class Prompt:
    """Token ids to continue, how many new tokens fit behind them, and how many old messages had to go."""

    ids: list[int]
    room: int
    dropped: int = 0


@dataclass
class Talker:
    """A model with its tokenizer; `base` means that it continues text instead of answering.

    `tools` are JSON schemas of what the model may call, for its chat template."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    base: bool
    tools: list[dict[str, Any]] = field(default_factory=list)

    @property
    def context(self) -> int:
        """Positions the model was made for, in tokens."""
        return context_of(self.model)

    @property
    def stop_ids(self) -> set[int]:
        """Any of these ends an answer."""
        return stop_ids_of(self.model, self.tokenizer)

    def prompt(self, messages: list[Message], max_new_tokens: int) -> Prompt:
        """The prompt for the next answer. Oldest turns are dropped until the answer has room, never the system message.

        The answer keeps up to half the context. Raises UserMistake when the last message alone leaves no room."""
        wanted = min(max_new_tokens, self.context // 2)
        system, turns = _split(messages)
        dropped = 0
        ids = self.encode(system + turns)
        while len(ids) + wanted > self.context and len(turns) > 1:
            oldest = next((i for i, turn in enumerate(turns) if i > 0 and turn["role"] == "user"), len(turns) - 1)
            turns, dropped = turns[oldest:], dropped + oldest
            ids = self.encode(system + turns)
        room = min(max_new_tokens, self.context - len(ids))
        if room < 1:
            raise UserMistake(f"the message is too long: {len(ids)} tokens, and the model's context is {self.context}")
        return Prompt(ids, room, dropped)

    def encode(self, messages: list[Message]) -> list[int]:
        """Chat: the template around the messages, up to where the assistant begins. Base: the text of all messages."""
        if self.base:
            text = "".join(message["content"] for message in messages)
            ids = self.tokenizer(text, split_special_tokens=True).input_ids
            return ids or [self._first_id()]
        return encode_chat(self.tokenizer, messages, tools=self.tools)

    def _first_id(self) -> int:
        """What stands before an empty text, so that there is something to continue."""
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        return next(token for token in (bos, eos, 0) if token is not None)


def _split(messages: list[Message]) -> tuple[list[Message], list[Message]]:
    """The leading system messages, and the turns after them."""
    count = next((i for i, message in enumerate(messages) if message["role"] != "system"), len(messages))
    return messages[:count], messages[count:]


def context_of(model: PreTrainedModel) -> int:
    """Positions a model was made for, in tokens."""
    return model.config.get_text_config().max_position_embeddings


def stop_ids_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Any of these ends an answer: those of generation_config, the tokenizer's own, and ChatML's end of a turn."""
    eos = model.generation_config.eos_token_id
    ids = set(eos) if isinstance(eos, list) else {eos}
    ids |= {tokenizer.eos_token_id, tokenizer.get_vocab().get("<|im_end|>")}
    return {token for token in ids if token is not None}


def encode_chat(
    tokenizer: PreTrainedTokenizerBase,
    messages: list[Message],
    *,
    tools: list[dict[str, Any]] | None = None,
    add_generation_prompt: bool = True,
) -> list[int]:
    """Ids of the conversation up to the answer; `<|im_end|>` inside a message is read as the eleven letters it is.

    `tools` are JSON schemas. transformers since 5.23 encodes such tokens as plain text; before, they get visible spaces
    (`<| im_end |>`)."""
    from jinja2 import TemplateError

    # `or None`: some templates introduce an empty list of tools
    options = {"tools": tools or None, "add_generation_prompt": add_generation_prompt, "return_dict": False}
    # an older apply_chat_template would hand the unknown option to the template and sanitise nothing, silently
    if "sanitize_control_tokens" in inspect.signature(tokenizer.apply_chat_template).parameters:
        options["sanitize_control_tokens"] = True
    else:
        special = control_tokens(tokenizer)
        messages = [neutral_message(message, special) for message in messages]
    try:
        return tokenizer.apply_chat_template(messages, **options)
    except TemplateError as error:
        raise UserMistake(f"the chat template of this model refuses the conversation: {error}") from error


def load(name: str, base: bool) -> Talker:
    """Model and tokenizer of a folder, an adapter folder or a Hub id. Raises UserMistake when they do not load."""
    import torch
    from transformers import AutoModelForCausalLM

    # bfloat16 is several times slower than float32 on a CPU
    options: dict[str, Any] = (
        {"dtype": "auto", "device_map": "auto"} if torch.cuda.is_available() else {"dtype": "float32"}
    )
    tokenizer = load_tokenizer(name)
    _refuse_reward_model(name)
    try:
        model = AutoModelForCausalLM.from_pretrained(name, use_safetensors=True, **options).eval()
    except OSError as error:  # the library's word for a missing file, repository or network
        raise UserMistake(f"model {name!r} cannot be loaded: {error}") from error
    return Talker(model, tokenizer, base or is_base(name, tokenizer))


def _refuse_reward_model(name: str) -> None:
    """It would load with an output layer of random numbers, and talk."""
    config = Path(name, "config.json")
    written = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    kinds = written.get("architectures") or []
    if any(kind.endswith("ForSequenceClassification") for kind in kinds):
        raise UserMistake(f"{name} is a reward model, which gives points and does not talk: {', '.join(kinds)}")


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder, an adapter folder or a Hub id. Raises UserMistake when it does not load."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(_tokenizer_home(name))
    except OSError as error:
        raise UserMistake(f"model {name!r}: its tokenizer cannot be loaded: {error}") from error


def is_base(name: str, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a model has not learned to answer.

    A folder of the stage pretrain has the template that fine-tuning will use, but has never seen a conversation."""
    found = receipt.load(Path(name) / receipt.FINISHED)
    return tokenizer.chat_template is None or (found is not None and found["stage"] == "pretrain")


def _tokenizer_home(name: str) -> str:
    """The folder itself, or the base model of an adapter that was saved without a tokenizer."""
    base = adapter_base(name)
    return base if base is not None and not (Path(name) / "tokenizer_config.json").is_file() else name
