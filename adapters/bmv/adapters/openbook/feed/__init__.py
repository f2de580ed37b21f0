"""Live market data of OpenBook: a market's accounts and logs, followed slot by slot."""
