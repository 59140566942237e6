"""Segment Anything: masks of what points, boxes or words show, and its image encoders."""
