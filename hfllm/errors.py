"""The one exception that stands for a mistake of the user, not of the program."""


class UserMistake(Exception):  # noqa: N818 - it says whose error it is
    """What the user did wrong, where, and what to write instead.

    A stage raises it before anything expensive happens; `recipe.run` and the command line print it without a traceback
    and end with exit status 2."""
