"""Bugs that are planted into a running Klatsch, one at a time, so that the checker can show that it finds them.

None is part of the package: each replaces something of it in a process that is started so (`faults.bugs.planted`).
"""
