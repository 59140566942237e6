"""A picture of a model: scopes as clusters, layers folded, heat where the cost is."""

import tempfile
from pathlib import Path

import graphacct
from graphacct.render.picture import svg

report = graphacct.account("gpt2-xl")
picture = svg(report)
assert "</svg>" in picture
assert "×48" in picture  # the block is drawn once, with how often it repeats

path = Path(tempfile.mkdtemp()) / "gpt2-xl.svg"
path.write_text(picture, encoding="utf-8")
print(f"{path}: {path.stat().st_size:,} bytes")
