"""The general rule: operators without a line in the table cost what their kind costs, as torch's tags say it."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Rule


def by_tags(call: CallRecord) -> Rule | None:
    return None
