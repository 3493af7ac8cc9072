"""What a sweep's fork server imports before workers are forked from it."""

from ganzoo.importing import importing

with importing():
    import ganzoo.training.run  # noqa: F401
