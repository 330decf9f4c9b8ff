"""Measures networks on clips with true alpha: `python -m models.evaluation --help`."""
