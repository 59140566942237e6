"""The graph of a model: its nouns, the builder, names and globs, networkx, and the walk over folded graphs."""
