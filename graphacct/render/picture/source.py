"""Where in a picture a value comes from."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from graphacct.render.picture.scene import Chain
from graphacct.tensors import TensorSpec


@attrs.frozen
class Source:
    """The place in the picture that a value comes from.

    Attributes:
        box: The id of its box.
        name: The value's name there.
        spec: Its spec after the views.
        views: The views that are folded into the edge.
        inside: The collapsed scope that the last of these lie in; empty if they are in none.
        outside: The source as it is before it enters that scope.
    """

    box: str
    name: str
    spec: TensorSpec
    views: tuple[str, ...] = ()
    inside: Chain = ()
    outside: Source | None = None

    def viewed(self, view: str, spec: TensorSpec, scope: Chain) -> Source:
        """Returns the source after a view in a collapsed scope, or in none."""
        outside = None if not scope else self.outside if self.inside == scope else self
        return Source(self.box, self.name, spec, (*self.views, view), scope, outside)

    def entering(self, scope: Chain) -> Source:
        """Returns the source as it enters a collapsed scope: views in there are no matter of the edge."""
        return self.outside if self.outside is not None and self.inside == scope else self


Sources: TypeAlias = dict[str, tuple[Source, ...]]
