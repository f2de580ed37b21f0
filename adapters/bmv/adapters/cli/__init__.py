"""The command `bmv`: its root, and how a refusal reaches a terminal."""
