"""What several benches need; a bench's `run` puts bench/ on the path for it."""
