"""Which numbers of a recipe are out of range? Key and message of each, for what a stage's CHECK yields.

    list(too_small({"samples": 0}, {"samples": 1})) == [("samples", "0 is too few, write 1 or more")]

A key that is not among the values has its default, and that is good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hfllm.chat import sampling

DRAWING = ("temperature", "top_p", "max_new_tokens", "seed")


def of_drawing(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with how answers are drawn."""
    yield from sampling.out_of_range({key: values.get(key) for key in DRAWING})


def too_small(values: Mapping[str, Any], least: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Numbers of things; null is no number."""
    for key, smallest in least.items():
        if (value := values.get(key)) is not None and value < smallest:
            yield key, f"{value} is too few, write {smallest} or more"
