"""Values of a query's result as JSON holds them."""

import math
from collections.abc import Sequence
from typing import Any

_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
"""What a reader of JSON is sure to get as an integer."""


def plain_row(row: Sequence[Any]) -> list[Any]:
    """A row of a result."""
    return [plain(value) for value in row]


def plain(value: Any) -> Any:
    """A cell. Integers beyond 64 bits, what is not finite, and what else JSON has no form for become text, bytes hexadecimal."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if _SMALLEST <= value <= _LARGEST else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case list() | tuple():
            return plain_row(value)
        case dict():
            return {str(key): plain(inner) for key, inner in value.items()}
        case bytes() | bytearray():
            return value.hex()
        case _:
            return str(value)
