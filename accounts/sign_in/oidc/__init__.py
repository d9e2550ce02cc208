"""Sign-in by OpenID Connect: a provider says who somebody is, and the portal believes what is signed by its keys."""
