"""Where one number comes from: its formula, the values in it, its parts, its source."""
