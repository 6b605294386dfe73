"""The speech engines, one a file."""
