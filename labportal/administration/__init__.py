"""Django's own admin, ordered by what administrators do: its site, its index and the numbers that need attention."""
