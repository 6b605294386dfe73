"""Discord's interactions: commands, components, their forms and answers."""
