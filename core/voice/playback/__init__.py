"""Playback: samples become frames of 20 ms on the wire, at their pace."""
