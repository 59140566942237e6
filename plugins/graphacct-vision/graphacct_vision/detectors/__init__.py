"""Models that find objects and say where they are: DETR and its relatives."""
