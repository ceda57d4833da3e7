"""Warnings of libraries that would only puzzle: said at the right place, in a place where they are wrong.

with quiet.about("transformers.modeling_utils", "score.weight"):
    ...      # records of that logger that name it are dropped, all others are shown"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def about(logger_name: str, words: str) -> Iterator[None]:
    """Drop the records of a logger whose text contains `words`, for a while."""
    logger = logging.getLogger(logger_name)

    def is_shown(record: logging.LogRecord) -> bool:
        return words not in record.getMessage()

    logger.addFilter(is_shown)
    try:
        yield
    finally:
        logger.removeFilter(is_shown)
