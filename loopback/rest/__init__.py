"""Discord's REST API v10: one module a subject, each with its `routes`; `routes.py` lists them."""
