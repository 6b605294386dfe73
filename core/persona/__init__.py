"""Who the bot is: characters, their moods and their pictures."""
