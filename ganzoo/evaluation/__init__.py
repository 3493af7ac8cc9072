"""Feature extractors, metrics and the named protocols that make a score mean something."""
