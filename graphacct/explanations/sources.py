"""The sources of an operator's factors, which its docstring states."""

from __future__ import annotations


def sources(doc: str) -> tuple[str, str]:
    """Returns an operator's docstring in two parts: the forward pass, and, from the sentence that begins with
    `Backward`, the gradients."""
    forward, word, backward = doc.partition(" Backward" if not doc.startswith("Backward") else "Backward")
    return forward, f"{word.strip()}{backward}"
