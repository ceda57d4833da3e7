"""Which process of a launch is this? `accelerate launch` says it in the environment, so torch is not asked."""

import os


def is_first() -> bool:
    """Whether this process writes and speaks for all of its launch."""
    return os.environ.get("RANK", "0") == "0"


def count() -> int:
    """How many processes were launched, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def count_on_this_machine() -> int:
    """How many of them share this machine's cores."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
