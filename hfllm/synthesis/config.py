"""Which keys has a recipe of the stage synthesize, and which values make no sense together?"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal

from hfllm.chat.sampling import check_options
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake


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
    """What can be seen wrong without loading or asking anything."""
    check_options({key: getattr(config, key) for key in ("temperature", "top_p", "max_new_tokens", "seed")})
    local, remote = config.model_name_or_path is not None, config.endpoint is not None
    wrong = []
    if local == remote:
        wrong.append("who writes? give either  model_name_or_path:  or  endpoint:  and  model:")
    if remote and not config.model:
        wrong.append("endpoint: needs  model:  too, the name that the server knows")
    if remote and not str(config.endpoint).startswith(("http://", "https://")):
        wrong.append(f"endpoint: {config.endpoint!r} is no address; write for instance  http://127.0.0.1:8000/v1")
    if config.api_key_variable and not os.environ.get(config.api_key_variable):
        wrong.append(f"api_key_variable: the environment has no {config.api_key_variable}")
    if not config.topics and not config.datasets:
        wrong.append("about what? give  topics:  or  datasets:")
    for key in ("rows", "turns", "batch_size", "document_characters"):
        if getattr(config, key) < 1:
            wrong.append(f"{key}: {getattr(config, key)} is too few, write 1 or more")
    for key in ("requests_per_minute", "timeout_seconds", "similarity"):
        if (value := getattr(config, key)) is not None and value <= 0:
            wrong.append(f"{key}: {value} must be above 0")
    if config.review != "never" and not config.review_file:
        wrong.append(f"review: {config.review} needs the file to correct:  review_file: reviews/mine.jsonl")
    if wrong:
        raise UserMistake("\n".join(wrong))
