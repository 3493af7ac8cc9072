"""Named data sets, read into memory once, and the endless loader that feeds them to a training run."""
