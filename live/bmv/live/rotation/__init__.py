"""A key takes another's place: `bmv wallet rotate`."""
