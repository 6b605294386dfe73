"""Language models: named routes to servers, streamed and cleaned text, prompts cut to fit."""
