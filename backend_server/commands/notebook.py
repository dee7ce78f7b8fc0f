"""Shows the notes of a run as they arise and keeps them for its report."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared.errors import NoteError
from shared.notes import Note


class Notebook:
    """The notes of one run, each once.

    Args:
        show: told of each new note.
        is_strict: the first note ends the run.
    """

    def __init__(self, show: Callable[[str], None] = lambda _: None, *, is_strict: bool = False) -> None:
        self.notes: list[Note] = []
        self._show = show
        self._is_strict = is_strict

    def add(self, notes: Iterable[Note]) -> None:
        """Takes notes; those that are known already are left out.

        Raises:
            NoteError: the run is strict.
        """
        for note in notes:
            if note in self.notes:
                continue
            if self._is_strict:
                raise NoteError(f"{note} (with --strict, a note is an error)")
            self.notes.append(note)
            self._show(f"note: {note}")
