"""Django's admin with the portal's site. It stands in INSTALLED_APPS instead of `django.contrib.admin`."""

from django.contrib.admin.apps import AdminConfig


class Administration(AdminConfig):
    default_site = "labportal.administration.site.PortalAdminSite"
