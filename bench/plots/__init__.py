"""Draws what `make bench ARGS="... --json FILE"` has written."""
