"""A package that adds a variant, a network and a data set of its own to ganzoo."""
