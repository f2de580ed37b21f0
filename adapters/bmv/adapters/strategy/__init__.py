"""A user's strategy: found, hashed, compiled or called, and named when it fails."""
