"""The mistakes that are in what was given, not in the program."""


class InputError(ValueError):
    """A file, field or value cannot be used; the message names it and says what to do.

    The command lines print the message alone; any other exception is a fault of the program and keeps its traceback.
    """
