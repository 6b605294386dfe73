"""Music: what waits, what plays, how loud, and where it comes from. Plays over whatever lines it is handed."""
