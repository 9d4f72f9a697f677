"""The mistakes that are in what was given, not in the program."""

import re


class InputError(ValueError):
    """A file, field or value cannot be used; the message names it and says what to do.

    The command lines print the message alone; any other exception is a fault of the program and keeps its traceback.
    """


def reason(error: BaseException) -> str:
    """The first sentence of an error's message, or its type's name where it has none."""
    return re.split(r'\n|\. ', str(error))[0] or type(error).__name__
