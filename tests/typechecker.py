"""What checks the types of every call while the tests run: an int is a float, as everywhere in Python (PEP 484)."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
