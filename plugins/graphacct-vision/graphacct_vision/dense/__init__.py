"""Models that say something of each place of an image: its class, its depth, what is in front, where a joint is."""
