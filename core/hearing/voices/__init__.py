"""Voices told apart: several people behind one microphone."""
