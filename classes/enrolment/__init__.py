"""Coming into a class: invites, the roster, membership, and the machines that members get."""
