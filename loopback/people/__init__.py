"""People on the loopback: they write, talk, hear, see and use the slash menu."""
