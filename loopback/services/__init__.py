"""Stand-ins for the services a voice bot talks to, speaking their real wire formats on localhost.

    async with Chat() as chat:
        chat.script(text="Hello there.", pace_s=0.05, cut_after=3)   # the next request only
        chat.always(status=503)                                      # every one without a script
        chat.script(on="/v1/models", silent=True)                    # requests that end in this path
        ... chat.base_url ... chat.requests[0].json ... await chat.wait_for(lambda recorded: recorded.disconnected)

Speech stand-ins hum a tone for every word (`tone`); `tone.recognise` finds the words, and their order, in a recording.
"""
