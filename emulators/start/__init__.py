"""`make start`: the app on all stand-ins, until Ctrl-C."""
