"""Solana's wire protocols: RPC, websocket, transactions, wallets."""
