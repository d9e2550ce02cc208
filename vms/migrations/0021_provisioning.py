import uuid

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clusters", "0010_stored_messages"),
        ("vms", "0020_nested_pools"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LeasableNetwork",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="The name that teachers see, like “Lab 12”.", max_length=60, verbose_name="name"
                    ),
                ),
                (
                    "bridge",
                    models.CharField(
                        help_text="As it is called on the cluster.", max_length=15, verbose_name="bridge or VNet"
                    ),
                ),
                (
                    "vlan",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Only on a bridge that is aware of VLANs. Leave it empty for a VNet.",
                        null=True,
                        verbose_name="VLAN tag",
                    ),
                ),
                (
                    "cluster",
                    models.ForeignKey(
                        db_column="cluster_id",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="leasable_networks",
                        to="clusters.cluster",
                        to_field="cluster_id",
                        verbose_name="cluster",
                    ),
                ),
            ],
            options={
                "ordering": ["cluster_id", "bridge", "vlan"],
            },
        ),
        migrations.CreateModel(
            name="MachineTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(help_text="The name that teachers see.", max_length=100, verbose_name="name"),
                ),
                (
                    "description",
                    models.TextField(
                        blank=True,
                        help_text="What is on it, in a few sentences for teachers.",
                        max_length=2000,
                        verbose_name="description",
                    ),
                ),
                (
                    "clone_kind",
                    models.CharField(
                        choices=[("linked", "Linked clones"), ("full", "Full clones")],
                        default="linked",
                        help_text="Linked clones are made in seconds and need the template as long as they exist.",
                        max_length=6,
                        verbose_name="clones",
                    ),
                ),
                (
                    "storage",
                    models.CharField(
                        blank=True,
                        help_text="For full clones. Empty: the storage of the template.",
                        max_length=100,
                        verbose_name="storage",
                    ),
                ),
                (
                    "pool",
                    models.CharField(
                        help_text="Where the machines are made. Keep the template itself out of this pool.",
                        max_length=100,
                        verbose_name="pool",
                    ),
                ),
                ("vmid_from", models.PositiveIntegerField(verbose_name="first VMID")),
                (
                    "vmid_to",
                    models.PositiveIntegerField(
                        help_text="The machines get VMIDs of this range, which nothing else should use.",
                        verbose_name="last VMID",
                    ),
                ),
                (
                    "name_pattern",
                    models.CharField(
                        help_text="Like web201-{n}. A number takes the place of {n}.",
                        max_length=63,
                        verbose_name="name pattern",
                    ),
                ),
                (
                    "guest_os",
                    models.CharField(
                        choices=[("linux", "Linux"), ("windows", "Windows")],
                        default="linux",
                        max_length=7,
                        verbose_name="operating system",
                    ),
                ),
                (
                    "cores",
                    models.PositiveSmallIntegerField(default=1, help_text="Of one machine.", verbose_name="cores"),
                ),
                (
                    "memory_mib",
                    models.PositiveIntegerField(default=1024, help_text="Of one machine.", verbose_name="memory (MiB)"),
                ),
                (
                    "disk_gib",
                    models.PositiveIntegerField(default=1, help_text="Of one machine.", verbose_name="disk (GiB)"),
                ),
                (
                    "most_machines",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Out of this template at once. Empty: no limit.",
                        null=True,
                        verbose_name="most machines",
                    ),
                ),
                ("most_cores", models.PositiveIntegerField(blank=True, null=True, verbose_name="most cores")),
                (
                    "most_memory_mib",
                    models.PositiveBigIntegerField(blank=True, null=True, verbose_name="most memory (MiB)"),
                ),
                (
                    "most_disk_gib",
                    models.PositiveBigIntegerField(blank=True, null=True, verbose_name="most disk (GiB)"),
                ),
                (
                    "ci_user",
                    models.CharField(
                        blank=True,
                        help_text="For cloud-init. Empty: the template's.",
                        max_length=32,
                        verbose_name="user on the machines",
                    ),
                ),
                (
                    "ssh_keys",
                    models.TextField(
                        blank=True,
                        help_text="One public key per line. Empty: each machine gets a password of its own.",
                        verbose_name="SSH keys",
                    ),
                ),
                (
                    "ip_config",
                    models.CharField(
                        default="ip=dhcp",
                        help_text="Of the first network card, for cloud-init.",
                        max_length=200,
                        verbose_name="IP configuration",
                    ),
                ),
                (
                    "baseline_running",
                    models.BooleanField(
                        default=False,
                        help_text="Otherwise the machine is shut down first. Memory is never saved.",
                        verbose_name="save the baseline while running",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Teachers make machines out of active templates only.",
                        verbose_name="active",
                    ),
                ),
                ("checked_at", models.DateTimeField(editable=False, null=True, verbose_name="checked at")),
                (
                    "check_report",
                    models.JSONField(blank=True, default=dict, editable=False, verbose_name="result of the check"),
                ),
                (
                    "cluster",
                    models.ForeignKey(
                        db_column="cluster_id",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="machine_templates",
                        to="clusters.cluster",
                        to_field="cluster_id",
                        verbose_name="cluster",
                    ),
                ),
                (
                    "machine_sets",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Classes that may use it. Without teachers and groups, everybody may who may use the cluster and the pool.",
                        related_name="+",
                        to="vms.machineset",
                        verbose_name="machine groups",
                    ),
                ),
                (
                    "networks",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Networks that the machines may lease. Empty: they stay on the template's network.",
                        related_name="machine_templates",
                        to="vms.leasablenetwork",
                        verbose_name="networks",
                    ),
                ),
                (
                    "users",
                    models.ManyToManyField(
                        blank=True,
                        help_text="People who may use it in all of their classes.",
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="teachers",
                    ),
                ),
            ],
            options={
                "ordering": [django.db.models.functions.text.Lower("name")],
            },
        ),
        migrations.CreateModel(
            name="NetworkLease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "is_shared",
                    models.BooleanField(
                        default=False,
                        help_text="Otherwise one machine has the network for itself.",
                        verbose_name="for the whole group",
                    ),
                ),
                ("taken_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="taken at")),
                ("returned_at", models.DateTimeField(blank=True, null=True, verbose_name="returned at")),
                (
                    "machine_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="network_leases",
                        to="vms.machineset",
                        verbose_name="machine group",
                    ),
                ),
                (
                    "network",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="leases",
                        to="vms.leasablenetwork",
                        verbose_name="network",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "ordering": ["-taken_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="ProvisioningRun",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("make", "Make machines"), ("one-more", "One more"), ("reimage", "Re-image")],
                        default="make",
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                (
                    "networks",
                    models.CharField(
                        choices=[
                            ("template", "The template's network"),
                            ("group", "One network for all machines"),
                            ("each", "One network for each machine"),
                        ],
                        default="template",
                        max_length=8,
                        verbose_name="networks",
                    ),
                ),
                ("requested_by_name", models.CharField(max_length=150, verbose_name="requested by name")),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="requested at")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                ("cancelled_at", models.DateTimeField(null=True, verbose_name="cancelled at")),
                (
                    "plan",
                    models.JSONField(
                        default=dict, help_text="As it was reviewed, for the record.", verbose_name="plan"
                    ),
                ),
                (
                    "machine_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="vms.machineset",
                        verbose_name="machine group",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="requested by",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="vms.machinetemplate",
                        verbose_name="machine template",
                    ),
                ),
            ],
            options={
                "ordering": ["-requested_at"],
            },
        ),
        migrations.CreateModel(
            name="Quota",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "machines",
                    models.PositiveIntegerField(
                        blank=True, help_text="Empty: no limit.", null=True, verbose_name="machines"
                    ),
                ),
                (
                    "running",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Running or about to be started. Empty: no limit.",
                        null=True,
                        verbose_name="running machines",
                    ),
                ),
                (
                    "cores",
                    models.PositiveIntegerField(
                        blank=True, help_text="Of all machines. Empty: no limit.", null=True, verbose_name="cores"
                    ),
                ),
                (
                    "memory_mib",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="Of all machines, running or not. Empty: no limit.",
                        null=True,
                        verbose_name="memory (MiB)",
                    ),
                ),
                (
                    "disk_gib",
                    models.PositiveBigIntegerField(
                        blank=True, help_text="Of all machines. Empty: no limit.", null=True, verbose_name="disk (GiB)"
                    ),
                ),
                (
                    "cluster",
                    models.OneToOneField(
                        blank=True,
                        db_column="cluster_id",
                        help_text="For all machines of the cluster.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="quota",
                        to="clusters.cluster",
                        to_field="cluster_id",
                        verbose_name="cluster",
                    ),
                ),
                (
                    "machine_set",
                    models.OneToOneField(
                        blank=True,
                        help_text="For the machines of a class or another group.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="quota",
                        to="vms.machineset",
                        verbose_name="machine group",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        blank=True,
                        help_text="For the machines that are assigned to a person.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="quota",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TemplateCopy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("node", models.CharField(max_length=63, verbose_name="node")),
                ("vmid", models.PositiveIntegerField(verbose_name="VMID")),
                (
                    "uuid",
                    models.CharField(
                        blank=True,
                        editable=False,
                        help_text="As the check read it.",
                        max_length=64,
                        verbose_name="SMBIOS UUID",
                    ),
                ),
                (
                    "storage",
                    models.CharField(
                        blank=True, help_text="Where its disk is.", max_length=100, verbose_name="storage"
                    ),
                ),
                (
                    "is_shared",
                    models.BooleanField(
                        default=False,
                        help_text="Then machines on every node can be made out of this copy.",
                        verbose_name="on shared storage",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="copies",
                        to="vms.machinetemplate",
                        verbose_name="machine template",
                    ),
                ),
            ],
            options={
                "ordering": ["template", "node", "vmid"],
            },
        ),
        migrations.CreateModel(
            name="MadeMachine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField(verbose_name="position")),
                (
                    "mark",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        help_text="The first line of the machine's description contains it.",
                        unique=True,
                        verbose_name="mark",
                    ),
                ),
                ("cluster_id", models.CharField(max_length=50, verbose_name="cluster")),
                ("vmid", models.PositiveIntegerField(verbose_name="VMID")),
                ("node", models.CharField(help_text="Where the machine will be.", max_length=63, verbose_name="node")),
                ("template_vmid", models.PositiveIntegerField(verbose_name="VMID of the template")),
                ("template_node", models.CharField(max_length=63, verbose_name="node of the template")),
                ("name", models.CharField(max_length=63, verbose_name="name")),
                ("storage", models.CharField(blank=True, max_length=100, verbose_name="storage")),
                ("cores", models.PositiveSmallIntegerField(verbose_name="cores")),
                ("memory_mib", models.PositiveIntegerField(verbose_name="memory (MiB)")),
                ("disk_gib", models.PositiveIntegerField(verbose_name="disk (GiB)")),
                (
                    "uuid",
                    models.CharField(
                        blank=True, help_text="Empty until it was read.", max_length=64, verbose_name="SMBIOS UUID"
                    ),
                ),
                (
                    "step",
                    models.CharField(
                        choices=[
                            ("reserved", "reserved"),
                            ("cloned", "cloned"),
                            ("configured", "configured"),
                            ("started", "started"),
                            ("address-seen", "IP address seen"),
                            ("baseline-saved", "baseline saved"),
                            ("handed-over", "handed over"),
                        ],
                        default="reserved",
                        max_length=14,
                        verbose_name="last step",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("working", "in progress"),
                            ("ready", "ready"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                            ("stuck", "an administrator must free it"),
                            ("removing", "being removed"),
                            ("removed", "removed"),
                            ("earlier", "earlier machine"),
                            ("refused", "refused"),
                        ],
                        default="waiting",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("outcome", models.CharField(blank=True, max_length=500, verbose_name="outcome")),
                ("outcome_message", models.JSONField(editable=False, null=True, verbose_name="stored message")),
                ("upid", models.CharField(blank=True, max_length=250, verbose_name="UPID")),
                (
                    "sent_what",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("clone", "clone"),
                            ("config", "configuration"),
                            ("start", "start"),
                            ("snapshot", "snapshot"),
                            ("stop", "stop"),
                            ("destroy", "destroy"),
                        ],
                        help_text="The call in flight, committed before it is sent.",
                        max_length=8,
                        verbose_name="sent",
                    ),
                ),
                ("sent_at", models.DateTimeField(null=True, verbose_name="sent at")),
                ("ids_tried", models.PositiveSmallIntegerField(default=0, verbose_name="VMIDs tried")),
                ("leased_until", models.DateTimeField(null=True, verbose_name="leased until")),
                ("next_look_at", models.DateTimeField(null=True, verbose_name="next look at")),
                ("attempt", models.PositiveIntegerField(default=0, verbose_name="attempt")),
                ("password", models.TextField(blank=True, null=True, verbose_name="password")),
                (
                    "keep_until",
                    models.DateTimeField(
                        help_text="An earlier machine is removed afterwards.", null=True, verbose_name="keep until"
                    ),
                ),
                ("warned_at", models.DateTimeField(null=True, verbose_name="warned at")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="created at")),
                ("ready_at", models.DateTimeField(null=True, verbose_name="ready at")),
                ("removed_at", models.DateTimeField(null=True, verbose_name="removed at")),
                (
                    "for_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="made_machines",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="for",
                    ),
                ),
                (
                    "network",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="vms.leasablenetwork",
                        verbose_name="network",
                    ),
                ),
                (
                    "reimages",
                    models.ForeignKey(
                        help_text="The machine that this one takes the place of.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="replaced_by",
                        to="vms.mademachine",
                        verbose_name="replaces",
                    ),
                ),
                (
                    "vm",
                    models.ForeignKey(
                        help_text="As soon as the inventory shows it.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="made_machines",
                        to="vms.virtualmachine",
                        verbose_name="machine",
                    ),
                ),
                (
                    "lease",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="machines",
                        to="vms.networklease",
                        verbose_name="network lease",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="machines",
                        to="vms.provisioningrun",
                        verbose_name="provisioning run",
                    ),
                ),
                (
                    "copy",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="vms.templatecopy",
                        verbose_name="copy of the template",
                    ),
                ),
            ],
            options={
                "ordering": ["run", "position", "pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="leasablenetwork",
            constraint=models.UniqueConstraint(
                fields=("cluster", "bridge", "vlan"), name="one_network_per_bridge_and_vlan"
            ),
        ),
        migrations.AddConstraint(
            model_name="leasablenetwork",
            constraint=models.UniqueConstraint(
                condition=models.Q(("vlan", None)),
                fields=("cluster", "bridge"),
                name="one_network_per_bridge_without_vlan",
            ),
        ),
        migrations.AddConstraint(
            model_name="leasablenetwork",
            constraint=models.CheckConstraint(
                condition=models.Q(("vlan", None), models.Q(("vlan__gte", 1), ("vlan__lte", 4094)), _connector="OR"),
                name="vlan_in_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="machinetemplate",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("name"), name="template_name_unique_without_case"
            ),
        ),
        migrations.AddConstraint(
            model_name="machinetemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("vmid_from__gte", 100), ("vmid_to__lte", 999999999)), name="template_vmids_in_range"
            ),
        ),
        migrations.AddConstraint(
            model_name="machinetemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("vmid_from__lte", models.F("vmid_to"))), name="template_vmids_in_order"
            ),
        ),
        migrations.AddConstraint(
            model_name="networklease",
            constraint=models.UniqueConstraint(
                condition=models.Q(("returned_at", None)), fields=("network",), name="one_lease_per_network"
            ),
        ),
        migrations.AddIndex(
            model_name="provisioningrun",
            index=models.Index(fields=["machine_set", "requested_at"], name="runs_by_set"),
        ),
        migrations.AddConstraint(
            model_name="quota",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cluster__isnull", False), ("machine_set", None), ("user", None)),
                    models.Q(("cluster", None), ("machine_set__isnull", False), ("user", None)),
                    models.Q(("cluster", None), ("machine_set", None), ("user__isnull", False)),
                    _connector="OR",
                ),
                name="quota_of_one_thing",
            ),
        ),
        migrations.AddConstraint(
            model_name="templatecopy",
            constraint=models.UniqueConstraint(fields=("template", "node", "vmid"), name="one_copy_per_node_and_vmid"),
        ),
        migrations.AddIndex(
            model_name="mademachine",
            index=models.Index(fields=["state", "next_look_at"], name="made_machines_by_state"),
        ),
        migrations.AddConstraint(
            model_name="mademachine",
            constraint=models.UniqueConstraint(
                condition=models.Q(("removed_at", None)),
                fields=("cluster_id", "vmid"),
                name="one_made_machine_per_vmid",
            ),
        ),
        migrations.AddConstraint(
            model_name="mademachine",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "removed"), _negated=True), ("removed_at__isnull", False), _connector="OR"
                ),
                name="made_machine_removed_at",
            ),
        ),
    ]
