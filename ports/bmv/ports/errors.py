"""Whose fault it is. The command line turns each into its exit code and one clear line."""


class BmvError(Exception):
    """Something a person can mend; never shown with a traceback."""

    exit_code = 1


class UsageError(BmvError):
    """The command was called wrongly."""

    exit_code = 2


class ConfigError(BmvError):
    """The configuration is missing or says something impossible: the operator's to mend."""

    exit_code = 3


class DataError(BmvError):
    """The data is missing, unreadable or worse than allowed."""

    exit_code = 4


class Refused(BmvError):
    """Risk or safety forbids it."""

    exit_code = 5


class StorageError(BmvError):
    """A store can't be reached, or is full: what was acknowledged is kept, what was not may be sent again."""
