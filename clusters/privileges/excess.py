"""Excess privileges: those that the portal never uses. They are reported because a thief of the credential could."""

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.privileges.features import Feature, Who
from clusters.privileges.inheritance import Flags

MOST_NAMED = 5

MONITOR = gettext_lazy(
    "Up to Proxmox VE 8, VM.Monitor also lets this token run commands inside machines that have a guest agent. The "
    "portal needs it only for guest addresses and for idle machines. Leave it out of the command if you can do without "
    "them."
)
POWERFUL = {
    "Permissions.Modify": gettext_lazy("grant privileges to anybody"),
    "User.Modify": gettext_lazy("change users"),
    "Realm.Allocate": gettext_lazy("change authentication realms"),
    "Sys.PowerMgmt": gettext_lazy("shut down nodes"),
    "Sys.Modify": gettext_lazy("change the nodes' settings"),
    "Sys.Console": gettext_lazy("open a shell on nodes"),
    "VM.GuestAgent.Unrestricted": gettext_lazy("run commands inside machines"),
    "VM.GuestAgent.FileWrite": gettext_lazy("write files inside machines"),
    "VM.GuestAgent.FileRead": gettext_lazy("read files inside machines"),
}


def warnings(who: Who, name: str, flags: Flags, wanted: tuple[Feature, ...]) -> Iterator[str]:
    """Sentences about one credential, which is there for these features."""
    held = {privilege for here in flags.values() for privilege in here}
    more = sorted(held - {need.privilege for feature in wanted for need in feature.needs})
    if name.partition("!")[0] == "root@pam":
        yield _(
            "%(name)s is root or belongs to root. Create a user for the portal that can do only what the portal needs."
        ) % {"name": name}
    elif powerful := [str(use) for privilege, use in POWERFUL.items() if privilege in held]:
        yield (
            _(
                "%(name)s has far more privileges than the portal uses: it can %(powers)s. Use an account with only "
                "the privileges on the page “Add cluster”."
            )
            % {"name": name, "powers": ", ".join(powerful)}
        )
    elif who is Who.MAIN and more:
        text = _("%(name)s has privileges that the portal does not use (%(shown)s). Remove them.")
        yield text % {"name": name, "shown": _listed(more)}
    if who is Who.READER and (changing := sorted(right for right in held if not right.endswith(".Audit"))):
        text = _("%(name)s is for reading only, but has more privileges (%(shown)s). Remove them.")
        yield text % {"name": name, "shown": _listed(changing)}
        if "VM.Monitor" in held:
            yield _("With VM.Monitor, %(name)s can run commands inside machines that have a guest agent.") % {
                "name": name
            }


def _listed(names: list[str]) -> str:
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (_(" and %(rest)s more") % {"rest": rest} if rest > 0 else "")
