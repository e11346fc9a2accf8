"""How a setting is declared: its default, its bounds, and the words that say what it must be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

MOST_KW = 100_000.0


def number_field(default: Any, must: str, example: str | None = None, **bounds: Any) -> Any:
    """A field whose problem reads "it must be <must>, e.g. NAME=<example>"."""
    shown = str(default) if example is None else example
    return Field(default, description=must, examples=[shown], validate_default=True, allow_inf_nan=False, **bounds)


def text_field(default: Any, must: str, example: str | None = None, **options: Any) -> Any:
    """The same for a value that is no number, or may be none."""
    shown = str(default) if example is None else example
    return Field(default, description=must, examples=[shown], validate_default=True, **options)


def assignments(text: str) -> Iterator[tuple[str, str]]:
    """The pairs of "name=value;name=value". Raises ValueError where a name is missing or there twice."""
    seen: set[str] = set()
    for part in text.split(";"):
        if not part.strip():
            continue
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name:
            raise ValueError(f"{part.strip()!r} names no group")
        if name in seen:
            raise ValueError(f"group {name!r} is there more than once")
        seen.add(name)
        yield name, value


def url(*schemes: str) -> AfterValidator:
    """A check that an address is empty or has one of `schemes` and a host; it takes slashes off the end."""

    def check(value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"it has no {' or '.join(f'{scheme}://' for scheme in schemes)} and host")
        _ = parts.port
        return value.rstrip("/")

    return AfterValidator(check)


Kilowatts = Annotated[float, Field(ge=0, le=MOST_KW, allow_inf_nan=False)]
