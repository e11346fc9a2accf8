"""Files that people write: tables of fields, each with what it must be, and every problem with its line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from itertools import pairwise
from json.decoder import JSONObject  # type: ignore[attr-defined]  # typeshed does not know it
from json.scanner import py_make_scanner  # type: ignore[attr-defined]  # nor this: the scanner that takes own parsers
from typing import Any

from optivgi.errors import SettingsError

LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Must:
    """What a field must be. `read` turns the raw value into the one to use; its ValueError says what is wrong, or ""."""

    words: str
    example: object
    read: Callable[[Any], Any]
    required: bool = False


@dataclass(slots=True)
class Table:
    """One table (or object) of a document: its fields, how problems call it, and on which lines it stands."""

    place: str
    fields: Mapping[str, Any]
    line: int | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    """The line of each field, as far as it is known."""

    def problem(self, name: str, text: str) -> str:
        """ "line 3: circuits[1].limit_kw ..." """
        line = self.lines.get(name.partition("[")[0], self.line)
        where = "" if line is None else f"line {line}: "
        what = ".".join(part for part in (self.place, name) if part)
        return f"{where}{what} {text}" if what else f"{where}{text}"

    def take(self, musts: Mapping[str, Must], problems: list[str]) -> dict[str, Any]:
        """The fields that are sound, by name; everything else goes to `problems`. A field that is not there is left out."""
        for name in self.fields:
            if name not in musts:
                near = get_close_matches(str(name), musts, n=1)
                known = f"did you mean {near[0]}?" if near else f"known are {', '.join(musts)}"
                problems.append(self.problem(str(name), f"is not a field; {known}"))
        taken = {}
        for name, must in musts.items():
            if name not in self.fields:
                if must.required:
                    problems.append(self.problem(name, f"is missing; it must be {_wish(must)}"))
                continue
            value = self.fields[name]
            try:
                taken[name] = must.read(value)
            except ValueError as error:
                own = f": {error}" if str(error) else ""
                problems.append(self.problem(name, f"is {shown(value)}{own}; it must be {_wish(must)}"))
        return taken


def _wish(must: Must) -> str:
    return f"{must.words}, e.g. {json.dumps(must.example)}"


def shown(value: object) -> str:
    """The value as it would be written, shortened."""
    text = json.dumps(value, default=str)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def number(
    words: str,
    example: float,
    low: float = 0.0,
    high: float = math.inf,
    *,
    above: bool = False,
    whole: bool = False,
    required: bool = False,
) -> Must:
    """A number from `low` (`above`: not itself) to `high`."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ValueError
        if not math.isfinite(value) or value < low or value > high or (above and value == low):
            raise ValueError
        return value if whole else float(value)

    return Must(words, example, read, required)


def text(words: str, example: str, most: int = 64, *, required: bool = False) -> Must:
    """A text of 1 to `most` characters without spaces around it."""

    def read(value: object) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > most or value != value.strip():
            raise ValueError
        return value

    return Must(words, example, read, required)


def moment(example: str, *, required: bool = False) -> Must:
    """A date and time with its offset."""

    def read(value: object) -> datetime:
        if not isinstance(value, str | datetime):
            raise ValueError
        when = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        if when.tzinfo is None:
            raise ValueError("it has no offset, so nobody knows when that is")
        return when

    def said(value: object) -> datetime:
        try:
            return read(value)
        except ValueError as error:
            raise ValueError(str(error) if "offset" in str(error) else "") from None

    return Must("a date and time with offset", example, said, required)


def tables(words: str, *, required: bool = False) -> Must:
    """A list of tables."""

    def read(value: object) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError
        return value

    return Must(words, [], read, required)


def optional(must: Must, default: object = None) -> Must:
    """The same, or null, which reads as `default`."""
    return Must(
        f"{must.words}, or null",
        must.example,
        lambda value: default if value is None else must.read(value),
        must.required,
    )


NO_LINE_END = re.compile(r"[^\n]")


class Located(dict[str, Any]):
    """A JSON object that knows its first line and the line of each of its fields."""

    line: int = 1
    lines: Mapping[str, int]


def json_document(source: str) -> Any:
    """What `source` says, with Located objects. Raises SettingsError naming the line of what is no JSON."""
    decoder = _Decoder(source)
    try:
        return decoder.decode(source)
    except json.JSONDecodeError as error:
        raise SettingsError(f"line {error.lineno}: is not JSON: {error.msg} (column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"is not JSON: {error}") from None


class _Decoder(json.JSONDecoder):
    """Notes where each object begins and ends, by way of the parser's own hook for objects."""

    def __init__(self, source: str) -> None:
        super().__init__(parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
        self._source = source
        self._spans: list[tuple[int, int]] = []
        self.parse_object = self._object
        self.scan_once = py_make_scanner(self)

    def _object(self, s_and_end: tuple[str, int], *options: Any) -> tuple[Any, int]:
        first_inside = len(self._spans)
        start = s_and_end[1] - 1
        first = self._source.count("\n", 0, start) + 1
        try:
            value, end = JSONObject(s_and_end, *options)
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            raise SettingsError(f"line {first}: {error}") from None
        inner = self._spans[first_inside:]
        bounds = [start, *(edge for span in inner for edge in span), end]
        pieces = [self._source[begin:finish] for begin, finish in pairwise(bounds)]
        own = "".join(NO_LINE_END.sub(" ", piece) if i % 2 else piece for i, piece in enumerate(pieces))
        del self._spans[first_inside:]
        self._spans.append((start, end))
        value.line = first
        value.lines = {
            name: first + own.count("\n", 0, place)
            for name in value
            if (place := own.find(json.dumps(name, ensure_ascii=False))) >= 0
        }
        return value, end


def _no_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> Located:
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} is there more than once in one object")
    return Located(pairs)


TABLE_HEAD = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.\"' -]+?)\s*\]\]?\s*(#.*)?$")
FIELD_HEAD = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


def toml_lines(source: str) -> Iterator[tuple[str, int, dict[str, int]]]:
    """(name, line, line of each field) of every table that has a head of its own, in the order of the file.

    The fields before the first head belong to the table "". TOML's reader tells no lines, so this is found by the heads
    alone, for messages to people.
    """
    name, line, fields = "", 1, dict[str, int]()
    for position, written in enumerate(source.splitlines(), 1):
        if head := TABLE_HEAD.match(written):
            yield name, line, fields
            name, line, fields = head[1], position, {}
        elif head := FIELD_HEAD.match(written):
            fields.setdefault(head[1], position)
    yield name, line, fields
