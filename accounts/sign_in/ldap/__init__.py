"""Sign-in by LDAP and Active Directory. Nothing here is imported before a directory is active, or tested.

It needs `requirements-ldap.txt`. The portal calls `accounts.sign_in.directories`, with or without these packages.
"""
