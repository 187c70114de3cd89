"""Training and predicting: one loop body, a stateless order of tiles, resumable to the same bytes."""
