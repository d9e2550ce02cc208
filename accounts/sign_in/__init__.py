"""Signing in from outside: who comes in, what they become here, and what of it goes again."""
