"""An operator's way into a running session: a local socket, and the commands that talk over it."""
