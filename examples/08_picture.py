"""A picture of a model: scopes as clusters, layers folded, heat where the cost is."""

import tempfile
from pathlib import Path

import graphacct

report = graphacct.account("gpt2-xl")
path = Path(tempfile.mkdtemp()) / "gpt2-xl.svg"
graphacct.draw(report, path)
assert "×48" in path.read_text(encoding="utf-8")  # the block is drawn once, with how often it repeats
print(f"{path}: {path.stat().st_size:,} bytes")
