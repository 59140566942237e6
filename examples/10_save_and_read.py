"""A graph as JSON: written, read again, and accounted as any model."""

import tempfile
from pathlib import Path

import graphacct

graph = graphacct.build("gpt2", seq_len=256)
path = Path(tempfile.mkdtemp()) / "gpt2.json"
graphacct.save(graph, path)
print(f"{path}: {path.stat().st_size:,} bytes")

again = graphacct.account(path)
assert again.total == graphacct.account(graph).total
assert again.total["params"] == 124_439_808
