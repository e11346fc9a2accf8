"""Bad days on purpose: real services, real time, one fault after the other, judged by what the EVs really drew."""
