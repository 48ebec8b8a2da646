"""A shop in one file, on Flask and payfulfill."""
