"""Classes: teachers, members, machines and invites. Above vms, below labportal."""
