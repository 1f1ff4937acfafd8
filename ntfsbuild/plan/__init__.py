"""Plans: operations in their order, and their form as JSON lines."""
