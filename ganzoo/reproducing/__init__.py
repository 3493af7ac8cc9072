"""The papers' tables: what is run for one, and ours beside the published numbers."""
