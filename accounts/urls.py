"""A person's own pages."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("profile/", views.profile, name="profile"),
    path("password/", views.ChangePassword.as_view(), name="password_change"),
]
