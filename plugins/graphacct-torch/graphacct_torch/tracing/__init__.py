"""From the calls of a capture to a graph: names, views, versions of what is written in place, stops of gradients."""
