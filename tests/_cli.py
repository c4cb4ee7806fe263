"""What tests of the command line share."""

import json


def last(out: str) -> dict:
    """The JSON object of the last line."""
    return json.loads(out.splitlines()[-1])
