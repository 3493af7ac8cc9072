"""A package whose variant breaks down in the ways that trainings do."""
