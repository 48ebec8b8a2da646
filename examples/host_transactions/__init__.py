"""The host's own rows in our transaction, and ours in the host's."""
