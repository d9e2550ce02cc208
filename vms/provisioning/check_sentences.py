"""What the check of a template says, by the codes under which its result is stored: what is, and what to do."""

from django.utils.translation import gettext_noop

from accounts import stored_messages

_TEXTS = {
    "check-not-there": gettext_noop("There is no machine with VMID %(vmid)s on node %(node)s. Correct the copy."),
    "check-unreadable": gettext_noop(
        "The token for making machines lacks %(privilege)s on %(path)s. Check its privileges, which shows the commands."
    ),
    "check-no-template": gettext_noop("It is not a template. Convert it to one on the cluster."),
    "check-hookscript": gettext_noop(
        "It has a hook script, which only root@pam could remove from the machines. Remove it from the template."
    ),
    "check-protection": gettext_noop(
        "It is protected, and so would be the machines: nobody could remove them. Switch its protection off."
    ),
    "check-lock": gettext_noop("It is locked (%(lock)s) on the cluster. Wait, or unlock it there."),
    "check-in-pool": gettext_noop(
        "It is in the pool %(pool)s, where the token could delete it. Take it out of this pool."
    ),
    "check-no-disk": gettext_noop("It has no disk."),
    "check-no-link": gettext_noop(
        "Its storage %(storage)s can't make linked clones. Move its disk to another one, or publish it with full "
        "clones."
    ),
    "check-no-storage": gettext_noop(
        "The token can't use the storage %(storage)s on this node, or it takes no disks there. Check the storage and "
        "the token's privileges."
    ),
    "check-no-snapshots": gettext_noop(
        "The storage %(storage)s saves no snapshots of this disk, so machines get no baseline. Use qcow2 or another "
        "storage if people are to revert."
    ),
    "check-untried-storage": gettext_noop(
        "The storage %(storage)s is of the type %(type)s, which was not tried with the portal. Make one machine first."
    ),
    "check-no-agent": gettext_noop(
        "The guest agent is off, so the portal learns no IP addresses. Install it and switch it on."
    ),
    "check-no-cloudinit": gettext_noop(
        "It has no cloud-init drive, so machines get neither their name nor a user and a password. Add one, or prepare "
        "the template so that it needs none."
    ),
    "check-clear-password": gettext_noop(
        "Its configuration keeps a password in clear text, which all machines inherit until theirs is set. Set it "
        "again on the cluster: then only its hash is kept."
    ),
    "check-cicustom": gettext_noop(
        "It has its own cloud-init files (cicustom), which replace what the portal sets. Remove them unless you mean "
        "it."
    ),
    "check-fixed-address": gettext_noop(
        "All machines get the same IP address (%(value)s). Use ip=dhcp unless each has a network of its own."
    ),
    "check-fixed-mac": gettext_noop(
        "Its arguments for QEMU contain a MAC address, which all machines would share. Remove it."
    ),
    "check-cd": gettext_noop("A CD is in %(drives)s. Take it out: all machines would have it, too."),
    "check-devices": gettext_noop(
        "It uses devices of its node (%(devices)s), which one machine at a time can have. Remove them."
    ),
    "check-snapshots": gettext_noop("It has snapshots. Delete them: the machines don't get them."),
    "check-onboot": gettext_noop("It starts with its node. The portal switches this off for the machines."),
    "check-other-system": gettext_noop(
        "Its operating system (%(ostype)s) is not the one that it is published with. Correct one of them."
    ),
    "check-windows": gettext_noop(
        "Windows was not tried with the portal. It needs Sysprep and cloudbase-init. Make one machine first."
    ),
    "check-tpm": gettext_noop("It has a TPM, which was not tried with the portal. Make one machine first."),
    "check-arch": gettext_noop("Its architecture (%(arch)s) was not tried with the portal. Make one machine first."),
}
CODES = frozenset(_TEXTS)

stored_messages.register(_TEXTS)
