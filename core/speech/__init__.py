"""Text becomes sound: engines, what of a text may be said, and in which pieces."""
