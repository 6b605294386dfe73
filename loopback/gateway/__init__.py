"""Discord's gateway: connections, sessions, intents."""
