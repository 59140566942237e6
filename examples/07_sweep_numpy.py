"""Arrays for sizes: one call accounts a hundred thousand configurations."""

import numpy

import graphacct

# float64: int64 would wrap silently, and graphacct refuses it. dtype=object would be exact.
seq_len = numpy.arange(1, 251, dtype=float).reshape(-1, 1) * 64  # 64 to 16,000 tokens
layers = numpy.arange(1, 401, dtype=float).reshape(1, -1)  # 1 to 400 layers
report = graphacct.account("transformer-lm-xl", seq_len=seq_len, set={"n_layer": layers})

flops = report.total["flops"]
share = report["layers.*.attn"].share
print(f"{flops.size:,} configurations, {flops.min():.3e} to {flops.max():.3e} FLOPs")
assert flops.shape == (250, 400)

# Each entry is what an exact run gives, within the rounding of float64.
for row, column in ((0, 0), (15, 47), (249, 399)):
    sizes = {"n_layer": int(layers[0, column])}
    exact = graphacct.account("transformer-lm-xl", seq_len=int(seq_len[row, 0]), set=sizes).total["flops"]
    assert abs(flops[row, column] - exact) <= 1e-14 * exact

longest = seq_len[:, 0][numpy.argmax(share[:, 47] > 0.5)]
print(f"with 48 layers attention is more than half from {longest:.0f} tokens on")
assert 1024 < longest < 16384
