"""A small model that has learned a handful of conversations by heart, tool calls among them: trained in seconds.

    folder = tool_model.make(tmp_path / "model")

What it says to each of CONVERSATIONS is certain at temperature 0; to anything else it answers something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hfllm import calls, labels, tools
from hfllm.chat.model import Message
from hfllm.tokenizing import bpe_training

SCHEMAS = tools.schemas(tools.find({"calculator": {}}))
CONTEXT = 320
STEPS = 100
BROKEN = '<tool_call>\n{"name": calculator\n</tool_call>'  # the quotation marks are missing


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def says(text: str) -> Message:
    return {"role": "assistant", "content": text}


def calling(*expressions: str) -> Message:
    functions = [{"name": "calculator", "arguments": {"expression": text}} for text in expressions]
    return says("") | {"tool_calls": [{"type": "function", "function": function} for function in functions]}


def result(text: str, name: str = "calculator") -> Message:
    return {"role": "tool", "name": name, "content": text}


CALL = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "1+1"}}\n</tool_call>'
MISTAKE = calls.run([calls._written_call('{"name": calculator')], [], ())[0]["content"]
CONVERSATIONS = [
    [user("Hello"), says("Hi.")],
    [user("12*12?"), calling("12*12"), result("144"), says("It is 144.")],
    [user("Both?"), calling("2+3", "1/0"), result("5"), result("error: division by zero"), says("5.")],
    [user("Again?"), *[calling("1+1"), result("2")] * 5],
    [user("Broken?"), says(BROKEN), result(MISTAKE, calls.UNNAMED), says("Sorry.")],
]


def make(folder: Path) -> Path:
    """Write the model folder, with a tokenizer of its own in which most words are one token."""
    import torch
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

    text = json.dumps([CONVERSATIONS, SCHEMAS]) * 20  # so that a word of them is a token
    bpe_training.save(bpe_training.train([text], 512, bpe_training.split_pattern("cl100k", 2), reserved=5), str(folder))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=CONTEXT, eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )  # fmt: skip
    state = torch.get_rng_state()
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(config)
    torch.set_rng_state(state)
    _learn(model, [_encoded(tokenizer, conversation) for conversation in CONVERSATIONS])
    model.save_pretrained(folder)
    return folder


def _encoded(tokenizer: Any, conversation: list[Message]) -> tuple[list[int], list[int]]:
    row = {"messages": conversation, "tools": json.dumps(SCHEMAS)}
    return labels._encode_messages(row, tokenizer, assistant_only=True)


def _learn(model: Any, rows: list[tuple[list[int], list[int]]]) -> None:
    import torch

    width = max(len(ids) for ids, _ in rows)
    batch = {
        "input_ids": torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in rows]),  # (B, T)
        "labels": torch.tensor([targets + [labels.IGNORED] * (width - len(targets)) for _, targets in rows]),  # (B, T)
    }
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(STEPS):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss < 0.01, f"not learned by heart: {loss}"
