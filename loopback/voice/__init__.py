"""The voice plane: gateway version 8 over TLS, UDP relay, DAVE delivery service."""
