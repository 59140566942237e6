"""The picture as a PDF, made of its SVG by svglib and reportlab, with its fonts in the file."""

from __future__ import annotations

import io
import logging

from graphacct.errors import RenderError
from graphacct.render.picture.markup import WIDE

FONTS = (("normal", "Vera.ttf"), ("bold", "VeraBd.ttf"))
"""Bitstream Vera, which reportlab brings along; DejaVu Sans, which the boxes are laid out for, grew from it."""


def pdf_of(svg: str) -> bytes:
    """Returns a layout's SVG as a PDF of one page. Raises RenderError, with the command, where svglib is missing."""
    try:
        from reportlab.graphics import renderPDF
        from svglib.fonts import register_font
        from svglib.svglib import svg2rlg
    except ImportError as error:
        raise RenderError(
            f"PDF needs svglib and reportlab, and {error.name or error} is not installed: pip install 'graphacct[pdf]' "
            "(pip install svglib reportlab), or write .svg or .png"
        ) from error
    import reportlab

    logging.getLogger("svglib").setLevel(logging.ERROR)
    folder = f"{reportlab.__path__[0]}/fonts"
    names = [register_font(WIDE, font_path=f"{folder}/{file}", weight=weight)[0] for weight, file in FONTS]
    drawing = svg2rlg(io.BytesIO(svg.encode("utf-8")))
    if drawing is None:
        raise RenderError("svglib cannot read the picture; write .svg")
    drawing.initialFontName = names[0]  # else each page begins in Helvetica, which is not in the file
    return renderPDF.drawToString(drawing, invariant=True)  # no date: the same picture is the same file
