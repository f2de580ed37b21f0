"""A client of Jito's block engine: what is said (`codec`), how it is carried (`client`), where (`regions`)."""
