"""The one error of a corpus. It has a file of its own because every part of the corpus raises it."""


class CorpusError(RuntimeError):
    """A corpus on disk is not what it says it is, or cannot be used as asked. The message says what to do next."""
