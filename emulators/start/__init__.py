"""`make start`: the app on all stand-ins, kept up."""
