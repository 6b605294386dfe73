"""Sound from addresses that people give: files, internet radio, playlists. Everything comes through the guarded fetch."""
