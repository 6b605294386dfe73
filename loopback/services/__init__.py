"""Stand-ins for the services a voice bot talks to, speaking their real wire formats on localhost."""
