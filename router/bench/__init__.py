"""``python -m router bench``: the router beside its peers."""
