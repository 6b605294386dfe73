"""A Discord on localhost: REST, gateway, voice with end-to-end encryption, and people to talk to."""
