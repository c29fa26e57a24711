"""One file per topic. Runs against every backend, and every ordered pair of them."""
