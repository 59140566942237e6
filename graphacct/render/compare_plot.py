"""A comparison as a plot: shares of roles, or one quantity against another (the extra `plot`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from graphacct.dims import is_array, is_symbol
from graphacct.errors import ConfigError, RenderError, brief
from graphacct.render.plotting import STYLE, check_ending, figure, inches, save, style
from graphacct.reports.comparison import ROLE

if TYPE_CHECKING:
    from graphacct.reports.comparison import Comparison


def plot(
    found: Comparison, path: str | os.PathLike[str], against: str | None = None, width_cm: float | None = None
) -> None:
    """Plots a comparison to a .png, .svg or .pdf.

    Without `against` it is the shares of the roles: bars for several models; for several sizes of one model lines, with
    the size marked at which attention passes the network. With it, the compared quantity of each model over another
    one, both on logarithmic scales. Its width is `width_cm`, with text of the same size; 22.86 cm unless given.

    Raises RenderError if matplotlib is not installed, the ending is another one, or there is nothing to be seen: one
    model alone, figures that are symbols, arrays or not above 0; ConfigError for shares of what is not by role or does
    not add up, and for a width that is none; UnknownNameError for an unknown quantity; WriteError if the file cannot be
    written.
    """
    ending = check_ending(path)
    if found.over is None and len(found.reports) == 1:
        raise RenderError(
            f"a plot of {brief(found.reports[0].model)} alone compares nothing: name other models beside it, or sizes "
            'of it, over="seq_len=1k,4k,16k"'
        )
    width = inches(width_cm)
    drawn = figure(1, 1)  # the error of a missing matplotlib comes first
    from matplotlib import rc_context

    with rc_context({**STYLE, **style(width)}):
        if against is None:
            from graphacct.render import shares_plot

            drawn = _shares(found, shares_plot.WIDE if width is None else width)
        else:
            from graphacct.render.cost_plot import WIDE, cost_plot

            drawn = cost_plot(found, against, WIDE if width is None else width)
    save(drawn, path, ending)


def _shares(found: Comparison, width: float) -> Any:
    quantity = found.reports[0].quantity(found.quantity)
    if not quantity.adds_up:
        raise ConfigError(f"{found.quantity} has no shares, for it does not add up: plot it against='params'")
    if found.by != ROLE:
        raise ConfigError(f"a plot of shares is by role, not by {found.by}: give by='role'")
    for report in found.reports:
        total = report.total[found.quantity]
        if is_symbol(total) or is_array(total):
            raise RenderError(f"{found.quantity} of {brief(report.model)} is no number: give every size as a number")
        if not total:
            raise RenderError(f"{brief(report.model)} has no {found.quantity}, so that nothing of it has a share")
    from graphacct.render.shares_plot import bars, lines

    drawn = bars if found.over is None or len(found.over.sizes) == 1 else lines
    return drawn(found, width)
