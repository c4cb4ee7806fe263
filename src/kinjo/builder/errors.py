"""What the builder says of files that it cannot use."""

from __future__ import annotations


class BuildError(ValueError):
    """Names the file, what is wrong and what to do."""
