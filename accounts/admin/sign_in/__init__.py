"""Sources of sign-in in the admin: directories, providers, trusted headers, and joining accounts with them."""

from accounts.admin.sign_in.sources import DirectoryAdmin, ProviderAdmin, TrustedHeaderAdmin

__all__ = ["DirectoryAdmin", "ProviderAdmin", "TrustedHeaderAdmin"]
