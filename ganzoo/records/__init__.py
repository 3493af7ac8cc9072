"""The run directory: the truth about a run."""
