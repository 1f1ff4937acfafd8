"""Plans: what is to be done, in order, and how that is written down."""
