"""The listings of packages say what their modules say."""

from __future__ import annotations

import sys
from pathlib import Path

from graphacct.models.listing import listed

sys.path.insert(0, str(Path(__file__).parent))  # write_listings.py is imported by name

from write_listings import listings, written


def test_the_listings_are_those_of_the_modules() -> None:
    """`graphacct list` shows them in place of the modules; `make listings` writes them again."""
    found = listings()
    assert len(found) == 5
    for path, content in found.items():
        assert path.read_text(encoding="utf-8") == written(content), f"make listings: {path} is not what they say"


def test_what_has_no_listing_is_imported() -> None:
    """A plugin of one file, or a name that its package's file lacks."""
    import graphacct_mamba

    from graphacct import LazyArchitecture, errors

    mine = LazyArchitecture("mine", "graphacct_mamba.mine")
    assert listed(errors, "architectures", mine) is None
    assert listed(graphacct_mamba, "architectures", mine) is None
    known = listed(graphacct_mamba, "architectures", LazyArchitecture("mamba", "graphacct_mamba.mamba"))
    assert known is not None
    assert known["takes"] == ["seq_len"]
