"""The connection test of a provider: each step on the way to a sign-in, as far as it goes without a person."""
