"""What a person types: the commands, and a file in a local folder."""
