"""Columns and read-only fields about clusters, for the admin's list and form."""

from django.contrib import admin
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters import usage
from clusters.config import Trust
from clusters.models import Cluster, ClusterHealth
from clusters.templatetags.ages import age, ago


class ClusterColumns:
    """For `list_display` and `readonly_fields`."""

    @admin.display(description=gettext_lazy("address"), ordering="host")
    def address(self, cluster: Cluster) -> str:
        return f"{cluster.host}:{cluster.port}"

    @admin.display(description=gettext_lazy("health"), ordering="health__failing_since")
    def health_badge(self, cluster: Cluster) -> SafeString:
        health = getattr(cluster, "health", None)
        tone = "unknown" if health is None else "ok" if health.ok else "failing"
        return format_html('<span class="health {}">{}</span>', tone, self.health_in_short(cluster))

    def health_in_short(self, cluster: Cluster) -> str:
        health: ClusterHealth | None = getattr(cluster, "health", None)
        if health is None:
            return _("not checked yet")
        if health.ok:
            return _("responding")
        if problem := health.certificate_problem:
            return problem
        if health.rejects_credential:
            return _("credential rejected")
        return _("not responding for %(age)s") % {"age": age(health.failing_since or health.checked_at)}

    @admin.display(description=gettext_lazy("health"))
    def health_in_words(self, cluster: Cluster) -> str:
        health = getattr(cluster, "health", None)
        if health is None:
            return _("not checked yet")
        asked = _("Checked %(ago)s.") % {"ago": ago(health.checked_at)}
        return f"{self.health_in_short(cluster)}. {health.rendered_problem or asked}"

    @admin.display(description=gettext_lazy("certificate"))
    def certificate(self, cluster: Cluster) -> SafeString | str:
        if cluster.trust is Trust.NONE:
            return format_html("<strong>{}</strong>", cluster.trust.label)
        return cluster.trust.label

    @admin.display(description=gettext_lazy("use"), ordering="is_active")
    def use(self, cluster: Cluster) -> str:
        if not cluster.is_active:
            return _("inactive")
        return _("active, default") if cluster.is_default else _("active")

    @admin.display(description=gettext_lazy("used by"))
    def used_by(self, cluster: Cluster) -> str:
        return usage.in_words(cluster)

    @admin.display(description=gettext_lazy("default"))
    def default_in_words(self, cluster: Cluster) -> str:
        return (
            _("yes, until you deactivate it or make another one the default")
            if cluster.is_default
            else _("no; the list's action “Make default” changes it")
        )

    @admin.display(description=gettext_lazy("learned addresses"))
    def learned_in_words(self, cluster: Cluster) -> str:
        """The learned addresses in words. The page for a new cluster shows it, too."""
        if cluster.trust is Trust.NONE:
            return _("none: the portal learns addresses only from clusters with a verified certificate")
        known = ", ".join(cluster.learned_addresses) or _("none yet")
        return _(
            "%(known)s. The cluster reported these addresses of its nodes. The portal tries them after the ones above."
        ) % {"known": known}

    @admin.display(description=gettext_lazy("API token"))
    def token_in_words(self, cluster: Cluster) -> str:
        return cluster.token_id or _("none")

    @admin.display(description=gettext_lazy("read-only token"))
    def read_token_in_words(self, cluster: Cluster) -> str:
        return cluster.read_token_id or _("none")

    # Buttons in the form, which send what it says now

    @admin.display(description=gettext_lazy("before you save"))
    def try_out(self, cluster: Cluster) -> SafeString:
        """The buttons *Test connection* and *Fetch certificate*. The page for a new cluster shows them, too."""
        end, where = ("", [cluster.pk]) if cluster.pk else ("_new", [])
        urls = {
            "test_url": reverse(f"admin:clusters_cluster_test{end}", args=where),
            "certificate_url": reverse(f"admin:clusters_cluster_certificate{end}", args=where),
        }
        return render_to_string("admin/clusters/cluster/_try_out.html", urls)

    @admin.display(description=gettext_lazy("privileges"))
    def check_privileges(self, cluster: Cluster) -> SafeString:
        url = reverse("admin:clusters_cluster_privileges", args=[cluster.pk])
        return render_to_string("admin/clusters/cluster/_check_privileges.html", {"privileges_url": url})
