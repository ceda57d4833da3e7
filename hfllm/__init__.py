"""hfllm: a language model through every stage of its making, each stage a YAML recipe."""

__version__ = "0.1.0"
