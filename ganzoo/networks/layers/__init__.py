"""Layers that several network families are made of, by kind: nothing here knows a family."""
