"""What an upgrade must not break: names that others rely on, and what is stored."""
