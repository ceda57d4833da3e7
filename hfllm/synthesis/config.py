"""Which keys has a recipe of the stage synthesize, and which values make no sense together?"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from hfllm import limits
from hfllm.data import DatasetConfig
from hfllm.errors import refuse

AT_LEAST_ONE = ("rows", "turns", "batch_size", "document_characters")
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
NO_VARIABLE = (  # without the value, which may be the key itself
    "is no name of an environment variable in capitals, such as OPENAI_API_KEY; the key itself belongs there, and "
    "never into a recipe, which is copied into receipts"
)
NO_ADDRESS = "is no address; write for instance  http://127.0.0.1:8000/v1"


@dataclass
class SynthesisConfig:
    """Who writes about what, how much, and what is kept."""

    output_dir: str = field(metadata={"help": "Folder to write."})
    model_name_or_path: str | None = field(
        default=None, metadata={"help": "A chat model that writes on this machine: a folder, or a Hub id."}
    )
    endpoint: str | None = field(
        default=None, metadata={"help": "Or the address of an OpenAI-compatible server: http://127.0.0.1:8000/v1"}
    )
    model: str | None = field(default=None, metadata={"help": "The name of the model at the endpoint."})
    api_key_variable: str | None = field(
        default=None,
        metadata={"help": "The environment variable that holds the endpoint's key, such as OPENAI_API_KEY."},
    )
    topics: list[str] = field(default_factory=list, metadata={"help": "What to talk about, each a word or a sentence."})
    datasets: list[DatasetConfig] = field(
        default_factory=list, metadata={"help": "Documents to talk about (column text); the first message quotes one."}
    )
    document_characters: int = field(default=3_000, metadata={"help": "Longer documents are cut."})
    rows: int = field(default=100, metadata={"help": "Conversations to make; more, later, are made in addition."})
    turns: int = field(default=3, metadata={"help": "Questions in a conversation, each with its answer."})
    first_message: Literal["written", "given"] = field(
        default="written",
        metadata={"help": "given: each topic or document is itself the first message, such as a question to answer."},
    )
    user_style: str = field(default="", metadata={"help": "Told to the person's side besides: Write in German."})
    assistant_style: str = field(
        default="", metadata={"help": "System message of the answering side; it is not written into the data."}
    )
    temperature: float = field(default=1.0, metadata={"help": "Of both sides; 1 is the model's own distribution."})
    top_p: float | None = field(
        default=None, metadata={"help": "Draw among the likeliest tokens that make up this share; null: among all."}
    )
    max_new_tokens: int = field(default=512, metadata={"help": "Longest message; cut-off ones are not kept."})
    batch_size: int = field(default=16, metadata={"help": "Conversations written at once: in a batch, or in threads."})
    seed: int = field(
        default=0, metadata={"help": "The same seed gives the same conversations, of a model that is here."}
    )

    requests_per_minute: float | None = field(
        default=None, metadata={"help": "To the endpoint, at most; null: no limit."}
    )
    retries: int = field(default=6, metadata={"help": "Further tries after 429, 5xx, or no answer, with longer waits."})
    timeout_seconds: float = field(default=120.0, metadata={"help": "How long the endpoint may stay silent."})
    input_price: float = field(
        default=0.0, metadata={"help": "Per million tokens that the endpoint reads, for the sum."}
    )
    output_price: float = field(default=0.0, metadata={"help": "Per million tokens that the endpoint writes."})

    min_answer_words: int | None = field(default=3, metadata={"help": "Shortest answer kept; null: any."})
    max_answer_words: int | None = field(default=None, metadata={"help": "Longest answer kept; null: any."})
    keep_refusals: bool = field(default=False, metadata={"help": "Keep answers that refuse (recognised in English)."})
    language: str | None = field(
        default=None, metadata={"help": "Keep conversations in this language only, by its ISO 639-1 code; null: all."}
    )
    similarity: float | None = field(
        default=0.7, metadata={"help": "Of two that share so much of their groups of 5 words keep one; null: both."}
    )
    review: Literal["required", "optional", "never"] = field(
        default="never",
        metadata={"help": "required: train.jsonl is made only when a person has signed the review_file."},
    )
    review_file: str | None = field(
        default=None, metadata={"help": "Where the person corrects, outside output_dir: reviews/mine.jsonl"}
    )


def check(config: SynthesisConfig) -> None:
    """Raises `UserMistake` for what can be seen wrong without loading or asking anything."""
    refuse(mistakes(vars(config)))
    refuse(_mistakes_of_environment(config.api_key_variable))


def mistakes(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of what is wrong with a recipe's values."""
    yield from limits.of_drawing(values)
    yield from limits.too_small(values, dict.fromkeys(AT_LEAST_ONE, 1) | {"retries": 0})
    for key in ("requests_per_minute", "timeout_seconds", "similarity"):
        if (value := values.get(key)) is not None and value <= 0:
            yield key, f"{value} must be above 0"
    if (values.get("model_name_or_path") is None) == (values.get("endpoint") is None):
        yield "model_name_or_path", "who writes? give either  model_name_or_path:  or  endpoint:  and  model:"
    if values.get("endpoint") is not None:
        yield from _mistakes_of_endpoint(values["endpoint"], values.get("model"))
    if (variable := values.get("api_key_variable")) and not VARIABLE.fullmatch(variable):
        yield "api_key_variable", NO_VARIABLE
    if not values.get("topics") and not values.get("datasets"):
        yield "topics", "about what? give  topics:  or  datasets:"
    if (review := values.get("review", "never")) != "never" and not values.get("review_file"):
        yield "review", f"{review} needs the file to correct:  review_file: reviews/mine.jsonl"


def key_of(variable: str | None) -> str | None:
    """The endpoint's key. Without the end of a line, which `export KEY=$(cat file)` may leave at it."""
    return os.environ.get(variable, "").strip() or None if variable else None


def _mistakes_of_endpoint(endpoint: str, model: str | None) -> Iterator[tuple[str, str]]:
    """Without the address itself, which may hold a password: messages stand in logs, and recipes in receipts."""
    if not model:
        yield "endpoint", "needs  model:  too, the name that the server knows"
    try:
        address = urlsplit(endpoint)
        host, _ = address.hostname, address.port  # a port that is no number raises, too: http://me:pass/word@host
    except ValueError:
        yield "endpoint", NO_ADDRESS
        return
    if address.scheme not in ("http", "https") or not host:
        yield "endpoint", NO_ADDRESS
    elif "@" in address.netloc:
        yield "endpoint", "holds a name or password, and recipes are copied into receipts; use  api_key_variable:"


def _mistakes_of_environment(variable: str | None) -> Iterator[tuple[str, str]]:
    """Not a mistake of the recipe: where the stage is finished, its course goes on without the key."""
    key = key_of(variable)
    if variable and key is None:
        yield "api_key_variable", f"the environment has no {variable}"
    elif key and not (key.isascii() and key.isprintable()):
        yield "api_key_variable", f"the value of {variable} has characters that no key has, such as a line break"
