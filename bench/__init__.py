"""Measures a running Klatsch from outside: `make bench`. Never imported by the package."""
