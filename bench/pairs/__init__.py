"""Pairs of connections that talk: the same work for Klatsch and for what people would pick instead."""
