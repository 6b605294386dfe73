"""The connection to Discord's voice server: the client, its state, and how it lasts."""
