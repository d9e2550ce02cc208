"""Health checks of clusters, alerts about them, and the notifications that carry alerts to people."""
