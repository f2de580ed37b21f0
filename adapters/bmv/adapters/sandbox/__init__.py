"""A chain of one's own on this machine: LiteSVM behind Solana's protocols, with OpenBook markets on it."""
