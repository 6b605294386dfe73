"""Receive: what people say, from the socket to decrypted Opus frames, off the event loop."""
