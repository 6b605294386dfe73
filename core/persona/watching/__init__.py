"""Watches pages and feeds for servers, and tells once what is new."""
