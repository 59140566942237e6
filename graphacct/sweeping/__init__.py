"""A grid of a model's sizes, evaluated point by point: axes, slabs, conditions, rows. numpy is needed here."""
