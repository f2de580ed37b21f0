"""Our accounts on a market, looked at, set up and taken down by hand: `bmv chain`."""
