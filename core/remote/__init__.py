"""What engines that hear and engines that speak share about servers: refusals in people's words, and the Wyoming wire."""
