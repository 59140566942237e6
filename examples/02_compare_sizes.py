"""Four sizes of one model side by side: attention's share rises, the head's falls."""

import graphacct

names = [f"transformer-lm-{size}" for size in ("small", "medium", "large", "xl")]
reports = [graphacct.account(name, convention="worksheet") for name in names]
print(graphacct.compare(*reports, depth=2))

attention = [report["layers.*.attn"].share for report in reports]
head = [report["lm_head"].share for report in reports]
assert attention == sorted(attention)
assert head == sorted(head, reverse=True)
assert [f"{share:.2%}" for share in attention] == ["17.96%", "22.40%", "25.82%", "29.44%"]
