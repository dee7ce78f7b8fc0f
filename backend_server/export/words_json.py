"""Writes words and phones with their times as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from backend_server.speech.spoken import Spoken
from shared.speech_messages import Said

FORMAT = "speech_face.words/1"


def write_words(path: Path, spoken: Spoken, tags: dict[str, str]) -> None:
    """Writes `words` and `phones`, each with `text`, `begin` and `end` in seconds, and `confidence` from 0 to 1.

    Args:
        path: the file to write.
        spoken: what is said when.
        tags: metadata of the file.
    """
    lists = {"words": spoken.words, "phones": spoken.phones}
    parts = [f'"format": {json.dumps(FORMAT)}', f'"metadata": {json.dumps(tags)}']
    parts += [f'"{name}": [{_lines(said)}]' for name, said in lists.items()]
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _lines(said: Sequence[Said]) -> str:
    """One line each."""
    rows = (
        {
            "text": one.text,
            "begin": round(one.begin, 3),
            "end": round(one.end, 3),
            "confidence": round(one.confidence, 3),
        }
        for one in said
    )
    return ",".join(f"\n  {json.dumps(row, ensure_ascii=False)}" for row in rows)
