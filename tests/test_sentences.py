"""Tests that no sentence for users asks them to delete what they might still need."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ASKS = re.compile(r"\b(delete|remove)\s+(it|them|its|this|that|the (file|folder|state))\b", re.IGNORECASE)


def sentences(path):
    """All texts of a module that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = list(ast.walk(tree))
    left_out = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    left_out |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "..." for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield node.lineno, node.value


def test_no_sentence_asks_to_delete_a_file():
    folders = ("backend_server", "shared", "blender_addon", "speech_face_client")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 100
    found = {
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in paths
        for line, text in sentences(path)
        if ASKS.search(text)
    }
    assert found == set()


def test_the_test_sees_sentences_with_values_in_them(tmp_path):
    path = tmp_path / "module.py"
    path.write_text('"""Delete it."""\nraise ValueError(f"{path} is old; "\n    "remove it")\n')
    assert [text for _, text in sentences(path) if ASKS.search(text)] == ["... is old; remove it"]
