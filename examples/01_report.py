"""The cost of a published model: totals, a tree by scope, and the parts that matter most."""

import graphacct

report = graphacct.account("gpt2-xl", seq_len=1024, attention="eager")
print(report)

# The published checkpoint: token and position embeddings, 48 layers of 12 d² + 13 d, the last norm; the head is tied.
V, n, d, L = 50257, 1024, 1600, 48
assert report.total["params"] == V * d + n * d + L * (12 * d * d + 13 * d) + 2 * d == 1_557_611_200
assert str(report.coverage) == "31 of 31 nodes costed"

print("\nThe three operators with the most FLOPs:")
for row in report.by_operator[:3]:
    print(f"{row.path:16} {row.values['flops']:>17,}  {row.share:.1%}")

# One layer's MLP: two products with 4 d² weights each, 2 FLOPs a multiply-add, and 48 layers of it.
mlp = report["transformer.h.*.mlp"]
assert mlp.repeat == L
assert mlp.values["matmul_flops"] == L * 2 * n * (2 * 4 * d * d)
