"""Whether reports are of one workload: figures at two sizes of it do not compare."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.dims import same
from graphacct.errors import ConfigError, brief
from graphacct.reports.report import Report

SIZES = (
    "phase",
    "batch",
    "seq_len",
    "encoder_seq_len",
    "cache_len",
    "prompt_len",
    "new_tokens",
    "images",
    "audios",
    "points",
    "choices",
)
"""Sizes of a workload that do not come from the model, or need not. Of images and sounds the pixels, frames and samples
are the model's own unless they are given."""


def check_one_workload(reports: Sequence[Report], sides: Sequence[str] = ()) -> None:
    """Raises ConfigError if two reports are of different workloads, and names the size and both models. `sides` are
    what the reports are called besides."""
    for name in SIZES:
        told = [place for place, report in enumerate(reports) if report.workload.get(name) is not None]
        for place in told[1:]:
            one, other = (reports[each].workload[name] for each in (told[0], place))
            if not same(one, other):
                first, second = (_called(reports[each], sides, each) for each in (told[0], place))
                every = "both" if len(reports) == 2 else "all"
                raise ConfigError(
                    f"the models are of two workloads, {name} {one} in {first} and {other} in {second.rstrip(',')}: "
                    f"give {name}= for {every}"
                )


def _called(report: Report, sides: Sequence[str], place: int) -> str:
    return f"{sides[place]}, {brief(report.model)}," if sides else brief(report.model)
