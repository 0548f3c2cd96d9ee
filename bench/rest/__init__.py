"""Sends and histories over REST."""
