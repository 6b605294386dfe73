"""Transcripts of recordings: documents, the formats people read, the work of making them."""
