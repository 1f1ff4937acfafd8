"""The tests; a package, so that `tests.oracle` has one name everywhere."""
