"""The chat server of the Channels tutorial (its third part), with each message stored by the ORM."""
