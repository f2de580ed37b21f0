"""Keys of wallets: in memory where nothing shows them, and at rest where nothing but a passphrase opens them."""
