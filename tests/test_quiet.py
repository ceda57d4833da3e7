"""Warnings that would only puzzle are dropped, for a while, and no others."""

import logging

from hfllm import quiet


def test_only_what_is_named_is_dropped_and_only_for_a_while(caplog):
    logger = logging.getLogger("some.library")
    with quiet.about("some.library", "score.weight"):
        logger.warning("score.weight is missing")
        logger.warning("bias is missing")
    logger.warning("score.weight is missing again")
    assert [record.getMessage() for record in caplog.records] == ["bias is missing", "score.weight is missing again"]
