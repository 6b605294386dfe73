"""Recognisers, one a file, behind `core.hearing.transcriber.Transcriber`."""
