"""What a credential could do and the portal never will: said, because whoever steals it can."""

from collections.abc import Iterator

from clusters.privileges.features import Who
from clusters.privileges.spread import Flags

MONITOR = (
    "Until Proxmox VE 8, VM.Monitor, which guest addresses need, also lets this token run commands inside machines "
    "that have a guest agent. Leave it out of the line if you can do without addresses."
)
POWERFUL = {
    "Permissions.Modify": "give rights to anybody",
    "User.Modify": "change users",
    "Realm.Allocate": "change where users come from",
    "Sys.PowerMgmt": "switch nodes off",
    "Sys.Modify": "change the nodes' settings",
    "Sys.Console": "open a shell on nodes",
    "VM.GuestAgent.Unrestricted": "run commands inside machines",
    "VM.GuestAgent.FileWrite": "write files inside machines",
    "VM.GuestAgent.FileRead": "read files inside machines",
}


def warnings(who: Who, name: str, flags: Flags) -> Iterator[str]:
    """Sentences about one credential."""
    held = {privilege for here in flags.values() for privilege in here}
    if name.partition("!")[0] == "root@pam":
        yield f"{name} is, or belongs to, root. Use a user of the portal's own, so that it can do only what it needs."
    elif powerful := [use for privilege, use in POWERFUL.items() if privilege in held]:
        yield (
            f"{name} has far more rights than the portal uses: it can {', '.join(powerful)}. The page “Add cluster” "
            "names the rights that suffice; use an account with these."
        )
    if who is Who.READER and (changing := sorted(right for right in held if not right.endswith(".Audit"))):
        shown = ", ".join(changing[:5]) + (f" and {len(changing) - 5} more" if len(changing) > 5 else "")
        yield f"{name} is for looking only, and can do more ({shown}). Take that away from it."
        if "VM.Monitor" in held:
            yield f"With VM.Monitor, {name} can run commands inside machines that have a guest agent."
