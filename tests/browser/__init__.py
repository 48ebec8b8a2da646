"""Tests in a real browser. A package, so that fixtures of that scope end with its last test."""
