"""What all calls of the API at /api/v1/ have in common; the calls themselves are in each app's `api`."""
