"""The one exception that stands for a mistake of the user, not of the program, and how a process ends.

Exit status: 0 done or up to date, 1 a crash (with its traceback), 2 a mistake of the user, 130 interrupted."""

from collections.abc import Iterable

EXIT_MISTAKE, EXIT_INTERRUPTED = 2, 130


class UserMistake(Exception):  # noqa: N818 - it says whose error it is
    """What the user did wrong, where, and what to write instead.

    A stage raises it before anything expensive happens; `recipe.run` and the command line print it without a traceback
    and end with exit status 2."""


def refuse(mistakes: Iterable[tuple[str, str]]) -> None:
    """Raises one `UserMistake` for all mistakes, each a key of the recipe and a message, if there are any."""
    if found := [f"{key}: {message}" for key, message in mistakes]:
        raise UserMistake("\n".join(found))
