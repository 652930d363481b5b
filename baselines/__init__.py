"""What the router is raced against, and the race itself."""
