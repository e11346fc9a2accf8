"""The forms that kinds of stations take, kept in a file between runs."""

from __future__ import annotations

import logging
from pathlib import Path

from optivgi.errors import SettingsError
from optivgi.profile_form import FormBook
from optivgi.record import Bystander, CycleRecord
from optivgi.translation.base import Outcome

log = logging.getLogger("optivgi.site")


def load_forms(path: Path | None) -> FormBook:
    """The book in the file, an empty one if there is none yet. Raises SettingsError for a file that is something else."""
    if path is None or not path.exists():
        return FormBook()
    try:
        return FormBook.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"FORMS_FILE {path} cannot be used: {error}; delete it, and the forms are learned anew"
        ) from None


class FormsFile(Bystander):
    """An Observer that keeps the book in its file whenever something new is learned."""

    def __init__(self, path: Path, book: FormBook) -> None:
        self._path, self._book = path, book
        self._kept = book.version

    def cycle(self, record: CycleRecord) -> None:  # noqa: ARG002 - the book knows
        self._keep()

    def outcome(self, group: str, outcome: Outcome) -> None:  # noqa: ARG002 - the book knows
        self._keep()

    def _keep(self) -> None:
        if self._book.version == self._kept:
            return
        self._kept = self._book.version
        draft = self._path.with_name(self._path.name + ".new")
        try:
            draft.write_text(self._book.to_json(), encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            log.warning("What stations take cannot be kept in FORMS_FILE %s: %s", self._path, error)
