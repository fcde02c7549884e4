"""The SQL that orders and operations are asked for with alike."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain


def marks(items: Collection[object]) -> str:
    """A question mark for each."""
    return ", ".join("?" * len(items))


def newest(select: str, allowed: Mapping[str, Sequence[str]], most: int) -> tuple[str, tuple[object, ...]]:
    """The query for the newest rows, and its values.

    `select`: a query without conditions. `allowed`: the values that are asked for by column; none means any.
    """
    asked = {column: values for column, values in allowed.items() if values}
    conditions = " AND ".join(f"{column} IN ({marks(values)})" for column, values in asked.items()) or "1"
    return f"{select} WHERE {conditions} ORDER BY seq DESC LIMIT ?", (*chain.from_iterable(asked.values()), most)
