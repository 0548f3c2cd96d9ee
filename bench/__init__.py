"""Measures a running Klatsch from outside: `make bench`, or `python -m bench --help`. Never imported by the package."""
