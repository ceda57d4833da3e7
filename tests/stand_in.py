"""Small random models with a tokenizer and the ChatML template, for tests: made in a second, they know nothing.

    folder = stand_in.make(tmp_path / "model", shape="qwen3")      # or "llama", "gpt2"
    stand_in.make(tmp_path / "base", template=False)               # a base model: no chat template

`AutoModelForCausalLM` and `AutoTokenizer` load the folder. The weights are the same every time."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

if TYPE_CHECKING:
    from transformers import PretrainedConfig

TEMPLATE = Path(__file__).parents[1] / "hfllm" / "templates" / "chatml.jinja"
SPECIAL_TOKENS = [
    *("<|bos|>", "<|eos|>", "<|pad|>", "<|im_start|>", "<|im_end|>"),
    *("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"),
]
CONTEXT = 256
SENTENCES = [
    "Tom lives in a small town near the sea.",
    "Where does Tom live? Tom lives in a small town.",
    "What is the capital of Veland? The capital of Veland is Brunn.",
    "Anna has 12 apples and gives 5 of them to Tom. How many apples does Anna have? 12 - 5 = 7",
    "system user assistant tool",
]


@cache
def bpe() -> Tokenizer:
    """A byte-level BPE of about 400 tokens: any text has ids, any bytes come back. The post-processor adds <|bos|>."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,  # more than these sentences give
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    bos = ("<|bos|>", tokenizer.token_to_id("<|bos|>"))
    tokenizer.post_processor = processors.TemplateProcessing("<|bos|> $A", "<|bos|> $A $B", special_tokens=[bos])
    return tokenizer


def make_tokenizer(folder: Path, template: bool = True) -> Path:
    """Write the tokenizer that `AutoTokenizer` loads; with `template` it has hfllm's ChatML template."""
    folder.mkdir(parents=True, exist_ok=True)
    bpe().save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|bos|>",
        "eos_token": "<|eos|>",
        "pad_token": "<|pad|>",
        "extra_special_tokens": SPECIAL_TOKENS[3:],
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if template:
        (folder / "chat_template.jinja").write_text(TEMPLATE.read_text())
    return folder


def make(folder: Path, shape: str = "qwen3", template: bool = True) -> Path:
    """Write a model folder with random weights (about 0.1M parameters) and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM

    make_tokenizer(folder, template)
    state = torch.get_rng_state()  # a test that draws numbers must not notice that a model was made
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(_config(shape), dtype=torch.float32)
    torch.set_rng_state(state)
    model.save_pretrained(folder)
    return folder


def _config(shape: str) -> PretrainedConfig:
    from transformers import GPT2Config, LlamaConfig, Qwen3Config

    ids = {f"{name}_token_id": bpe().token_to_id(f"<|{name}|>") for name in ("bos", "eos", "pad")}
    common = {"vocab_size": bpe().get_vocab_size(), "tie_word_embeddings": True, **ids}
    attention = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "hidden_size": 64}
    llama = {**common, **attention, "intermediate_size": 128, "max_position_embeddings": CONTEXT}
    match shape:
        case "llama":
            return LlamaConfig(**llama)
        case "qwen3":
            return Qwen3Config(**llama, head_dim=16)
        case "gpt2":
            return GPT2Config(**common, n_embd=64, n_layer=2, n_head=4, n_positions=CONTEXT)
    raise ValueError(f"no stand-in of the shape {shape!r}")
