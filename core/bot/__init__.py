"""Discord glue that the cogs share: the runtime, the base of a cog, messages, interactions, replies."""
