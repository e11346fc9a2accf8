"""What a station knows of idTags by itself: the local list that the CSMS sends, and a cache of its answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ListUpdated = Literal["Accepted", "Failed", "VersionMismatch"]


@dataclass(frozen=True, slots=True)
class TagInfo:
    """What is known of an idTag; `status` is OCPP's AuthorizationStatus."""

    status: str
    parent: str | None = None
    expiry: datetime | None = None

    def accepts(self, now: datetime) -> bool:
        """Whether it may charge at `now`."""
        return self.status == "Accepted" and (self.expiry is None or now < self.expiry)


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One line of SendLocalList; `info` None deletes the tag in a differential update."""

    id_tag: str
    info: TagInfo | None


class TagBook:
    """The local list, which comes first, and the cache. Tags are compared without regard to case."""

    def __init__(self, max_entries: int) -> None:
        self.version = 0
        self._max_entries = max_entries
        self._list: dict[str, TagInfo] = {}
        self._cache: dict[str, TagInfo] = {}

    def lookup(self, id_tag: str, *, use_list: bool, use_cache: bool) -> TagInfo | None:
        """What is known of a tag without asking, or None."""
        name = id_tag.casefold()
        if use_list and name in self._list:
            return self._list[name]
        return self._cache.get(name) if use_cache else None

    def remember(self, id_tag: str, info: TagInfo) -> None:
        """Keeps what the CSMS said of a tag."""
        self._cache[id_tag.casefold()] = info

    def clear_cache(self) -> None:
        """Forgets what the CSMS said; the local list stays."""
        self._cache.clear()

    def update(self, version: int, entries: Sequence[ListEntry], *, full: bool) -> ListUpdated:
        """Applies SendLocalList; on any refusal the list stays as it was."""
        names = [entry.id_tag.casefold() for entry in entries]
        if version <= 0 or len(set(names)) != len(names) or (full and any(entry.info is None for entry in entries)):
            return "Failed"
        if not full and version <= self.version:
            return "VersionMismatch"
        updated = {} if full else dict(self._list)
        for name, entry in zip(names, entries, strict=True):
            if entry.info is None:
                updated.pop(name, None)
            else:
                updated[name] = entry.info
        if len(updated) > self._max_entries:
            return "Failed"
        self._list, self.version = updated, version
        return "Accepted"
