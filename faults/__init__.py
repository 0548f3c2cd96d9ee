"""Causes faults in a real Klatsch under load and checks what must be true all the same: docs/proof.md."""
