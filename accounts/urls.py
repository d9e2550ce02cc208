"""A person's own pages, and those of signing in from outside."""

from django.urls import path

from accounts import token_views, views
from accounts.sign_in import own_joining, pages
from accounts.sign_in.oidc import pages as oidc

urlpatterns = [
    path("profile/", views.profile, name="profile"),
    path("profile/tokens/", token_views.token_list, name="profile-tokens"),
    path("profile/tokens/<int:pk>/revoke/", token_views.revoke, name="profile-token-revoke"),
    path("password/", views.ChangePassword.as_view(), name="password_change"),
    path("sign-in/<slug:name>/", pages.begin, name="sign-in"),
    path("sign-in/<slug:name>/callback/", oidc.callback, name="sign-in-callback"),
    path("sign-in/<slug:name>/join/", own_joining.join, name="sign-in-join"),
]
