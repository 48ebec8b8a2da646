"""A small shop that sells printable posters, on FastAPI and payfulfill. Copy from it."""
