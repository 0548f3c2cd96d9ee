"""Thousands of connections that listen, are silent, or come and go."""
