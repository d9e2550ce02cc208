"""The keys that seal credentials: the wrong one is refused, a change of keys loses nothing, an interruption neither."""

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from encrypted_model_fields import fields as encrypted

from accounts.encrypted_fields import SecretUnreadable
from clusters import checks, keys
from clusters.models import SECRETS, Cluster
from tests import published
from tests.samples import KILL_ROUNDS, SEED
from tests.waits import TIMEOUT, read_line_with
from vms.models import MachineSet, MadeMachine, ProvisioningRun

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "c4nary &<'\"%ü"
OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def reads(key: str, ciphertext: str) -> bool:
    try:
        return Fernet(key).decrypt(ciphertext.encode()).decode() == SECRET
    except InvalidToken:
        return False


def ciphertext(cluster_id: str = "alpha") -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM clusters WHERE cluster_id = %s", [cluster_id])
        return str(cursor.fetchone()[0])


@pytest.fixture
def with_keys(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Callable[..., None]:
    """Change the keys as a restart with another FIELD_ENCRYPTION_KEY does."""

    def use(*names: str) -> None:
        settings.FIELD_ENCRYPTION_KEY = list(names)
        monkeypatch.setattr(encrypted, "CRYPTER", encrypted.get_crypter())

    return use


@pytest.fixture
def alpha(db: None, with_keys: Callable[..., None]) -> Cluster:
    with_keys(OLD)
    return Cluster.objects.create(cluster_id="alpha", name="Alpha", host="pve.test", user="p@pve", password=SECRET)


def ids(messages: list[Any]) -> list[str]:
    return [message.id for message in messages]


ASKED = {"app_configs": None, "databases": ["default"]}


def test_the_right_key_passes(alpha: Cluster) -> None:
    assert keys.canary_is_readable() is True
    assert checks.key_is_the_right_one(**ASKED) == []


def test_another_key_is_an_error(alpha: Cluster, with_keys: Callable[..., None]) -> None:
    with_keys(OTHER)
    assert ids(checks.key_is_the_right_one(**ASKED)) == ["clusters.E002"]


def test_an_old_key_behind_the_new_one_is_right(alpha: Cluster, with_keys: Callable[..., None]) -> None:
    with_keys(NEW, OLD)
    assert checks.key_is_the_right_one(**ASKED) == []


def test_an_unused_database_has_no_wrong_key(db: None) -> None:
    assert keys.canary_is_readable() is None
    assert checks.key_is_the_right_one(**ASKED) == []


def test_a_row_of_another_key_is_named_and_the_others_work(alpha: Cluster, with_keys: Callable[..., None]) -> None:
    with_keys(OTHER)
    Cluster.objects.create(cluster_id="beta", name="Beta", host="b.test", user="p@pve", password=SECRET)
    with_keys(OLD)
    [message] = checks.secrets_are_readable(**ASKED)
    assert message.id == "clusters.W002"
    assert "beta" in message.msg
    assert Cluster.objects.get(cluster_id="alpha").password.reveal() == SECRET
    with pytest.raises(SecretUnreadable):
        Cluster.objects.get(cluster_id="beta").password.reveal()


def test_saving_a_name_leaves_unreadable_ciphertext_as_it_is(alpha: Cluster, with_keys: Callable[..., None]) -> None:
    before = ciphertext()
    with_keys(OTHER)
    cluster = Cluster.objects.get(cluster_id="alpha")
    cluster.name = "Renamed"
    cluster.save()
    assert ciphertext() == before


def test_plaintext_in_the_table_is_an_error_that_does_not_repeat_it(alpha: Cluster) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clusters SET password = %s", [SECRET])
    [message] = checks.secrets_are_readable(**ASKED)
    assert message.id == "clusters.E003"
    assert "alpha" in message.msg
    assert SECRET not in f"{message}"


def test_equal_keys_are_an_error(settings: Any) -> None:
    assert checks.keys_differ(None) == []
    settings.SECRET_KEY = settings.FIELD_ENCRYPTION_KEY[0]
    assert ids(checks.keys_differ(None)) == ["clusters.E001"]


def test_unverified_tls_and_root_are_warned_about(alpha: Cluster) -> None:
    assert ids(checks.clusters_are_safe(**ASKED)) == ["clusters.W001"]
    Cluster.objects.filter(pk=alpha.pk).update(user="root@pam", verify_ssl=True)
    assert ids(checks.clusters_are_safe(**ASKED)) == ["clusters.W003"]


def test_a_token_of_another_user_is_not_root(alpha: Cluster) -> None:
    Cluster.objects.filter(pk=alpha.pk).update(user="root@pam", verify_ssl=True, token_id="portal@pve!a")
    alpha.refresh_from_db()
    alpha.token_secret = SECRET
    alpha.save()
    assert checks.clusters_are_safe(**ASKED) == []


def test_a_read_only_token_of_root_is_warned_about(alpha: Cluster) -> None:
    Cluster.objects.filter(pk=alpha.pk).update(verify_ssl=True, read_token_id="root@pam!look")
    assert ids(checks.clusters_are_safe(**ASKED)) == ["clusters.W003"]


@pytest.mark.parametrize("readable", [False, True])
def test_a_file_that_others_can_read_is_warned_about(tmp_path: Path, settings: Any, readable: bool) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(OLD)
    key_file.chmod(0o644 if readable else 0o600)
    settings.KEY_FILES = [str(key_file)]
    warned = [message for message in checks.files_are_private(None) if str(key_file) in message.msg]
    assert bool(warned) is readable


@pytest.mark.parametrize(("content", "warned"), [('[{"id": "a", "password": "x"}]', True), ("[]", False)])
def test_a_plaintext_file_is_warned_about(tmp_path: Path, settings: Any, content: str, warned: bool) -> None:
    settings.CLUSTER_CONFIG_FILE = str(tmp_path / "clusters.json")
    (tmp_path / "clusters.json").write_text(content)
    assert ids(checks.no_plaintext_file(None)) == (["clusters.W005"] if warned else [])


# Rotation


def test_rotation_makes_the_new_key_enough_and_the_old_one_useless(
    alpha: Cluster, with_keys: Callable[..., None]
) -> None:
    with_keys(NEW, OLD)
    assert keys.rotate() == 1
    assert reads(NEW, ciphertext())
    assert not reads(OLD, ciphertext())
    with_keys(NEW)
    assert Cluster.objects.get().password.reveal() == SECRET
    assert keys.canary_is_readable() is True


def test_rotation_is_done_once(alpha: Cluster, with_keys: Callable[..., None]) -> None:
    with_keys(NEW, OLD)
    keys.rotate()
    after_first = ciphertext()
    assert keys.rotate() == 0
    assert ciphertext() == after_first


def test_rotation_seals_every_secret_of_a_cluster(alpha: Cluster, with_keys: Callable[..., None]) -> None:
    for name in SECRETS:
        setattr(alpha, name, SECRET)
    alpha.save()
    with_keys(NEW, OLD)
    assert keys.rotate() == len(SECRETS) == 3
    with_keys(NEW)
    assert [getattr(Cluster.objects.get(), name).reveal() for name in SECRETS] == [SECRET] * 3


def test_rotation_seals_the_passwords_of_made_machines(alpha: Cluster, with_keys: Callable[..., None]) -> None:
    web = published.template(alpha)
    run = ProvisioningRun.objects.create(template=web, machine_set=MachineSet.objects.create(name="Monday"))
    size = {"cores": 1, "memory_mib": 1, "disk_gib": 1, "template_vmid": 900, "template_node": "pve1", "node": "pve1"}
    for vmid, password in ((5000, SECRET), (5001, None)):
        MadeMachine.objects.create(
            run=run, position=1, cluster_id="alpha", vmid=vmid, name="web", password=password, **size
        )
    assert [one.name for one in keys.stored()] == ["password", "password"]
    with_keys(NEW, OLD)
    assert (keys.rotate(), keys.rotate()) == (2, 0)
    with_keys(NEW)
    assert MadeMachine.objects.get(vmid=5000).password.reveal() == SECRET


def test_rotation_does_not_count_as_a_new_credential(alpha: Cluster, with_keys: Callable[..., None]) -> None:
    with_keys(NEW, OLD)
    keys.rotate()
    assert Cluster.objects.get().credential_version == alpha.credential_version


def test_rotation_is_refused_as_a_whole_when_one_secret_is_unreadable(
    alpha: Cluster, with_keys: Callable[..., None]
) -> None:
    with_keys(OTHER)
    Cluster.objects.create(cluster_id="beta", name="Beta", host="b.test", user="p@pve", password=SECRET)
    before = ciphertext()
    with_keys(NEW, OLD)
    with pytest.raises(keys.RotationRefused, match="Beta"):
        keys.rotate()
    assert ciphertext() == before


def test_the_command_counts_by_key_and_tells_whether_old_ones_are_needed(
    alpha: Cluster, with_keys: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with_keys(NEW, OLD)
    with pytest.raises(SystemExit) as needed:
        call_command("rotate_encryption_key", "--check")
    assert needed.value.code == 1
    assert "1 key 2" in capsys.readouterr().out
    call_command("rotate_encryption_key")
    assert "1 key 1 (newest)" in capsys.readouterr().out


def test_the_command_says_what_is_unreadable_and_changes_nothing(
    alpha: Cluster, with_keys: Callable[..., None]
) -> None:
    with_keys(NEW)
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("rotate_encryption_key")
    assert reads(OLD, ciphertext())


# Processes of their own, because the keys are read when a process starts.


class Installation:
    """A database file, and commands that run with keys of their own."""

    def __init__(self, folder: Path, migrated_file: Path) -> None:
        self.folder = folder
        shutil.copy(migrated_file, folder / "lab.db")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.endswith("_KEY")},
            "DJANGO_SETTINGS_MODULE": "labportal.settings",
            "SECRET_KEY": "s" * 60,
            "DATABASE_URL": f"sqlite:///{folder / 'lab.db'}",
            "CLUSTER_CONFIG_FILE": str(folder / "clusters.json"),
        }

    def start(self, *command: str, key: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env={**self.environment, "FIELD_ENCRYPTION_KEY": key},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, *command: str, key: str) -> tuple[int, str]:
        process = self.start(*command, key=key)
        printed, _ = process.communicate(timeout=TIMEOUT)
        return process.returncode, printed

    def secrets(self) -> list[str]:
        """The ciphertexts as they stand in the file."""
        with closing(sqlite3.connect(self.folder / "lab.db")) as database:
            return [row[0] for row in database.execute("SELECT password FROM clusters ORDER BY id")]


FILL = f"""
import django; django.setup()
from clusters.models import Cluster
for n in range(40):
    Cluster.objects.create(cluster_id=f"c{{n}}", name=f"C{{n}}", host="pve.test", user="p@pve", password={SECRET!r})
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Installation:
    made = Installation(tmp_path_factory.mktemp("keys"), migrated_file)
    code, printed = made.run("-c", FILL, key=OLD)
    assert code == 0, printed
    return made


COMMANDS = {
    "check": ("manage.py", "check", "--database", "default"),
    "worker": ("manage.py", "worker"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_start_with_the_wrong_key_is_refused_in_words(installation: Installation, command: tuple[str, ...]) -> None:
    code, printed = installation.run(*command, key=OTHER)
    assert code != 0
    assert "FIELD_ENCRYPTION_KEY is not the key of this database" in printed
    assert OTHER not in printed


def test_a_start_with_the_right_key_is_not_refused(installation: Installation) -> None:
    code, printed = installation.run(*COMMANDS["check"], key=OLD)
    assert code == 0, printed


@pytest.mark.parametrize(("key", "said"), [("", "Set FIELD_ENCRYPTION_KEY"), ("too-short", "FIELD_ENCRYPTION_KEY")])
def test_a_missing_or_malformed_key_is_named(installation: Installation, key: str, said: str) -> None:
    code, printed = installation.run("manage.py", "check", key=key)
    assert code != 0
    assert said in printed


def test_a_rotation_killed_at_any_moment_loses_nothing(installation: Installation) -> None:
    """Kills at random moments. Each leaves every secret readable with both keys, sealed exactly once."""
    chance, longest = random.Random(SEED), 0.08  # noqa: S311 - moments, not keys
    kills = readable = twice = done = 0
    rotate = ("-c", "import django; django.setup(); from clusters import keys; print('go', flush=True); keys.rotate()")
    order = [NEW, OLD]
    while kills < KILL_ROUNDS or not 0 < done < kills:  # the moments have to lie on both sides of the commit
        process = installation.start(*rotate, key=",".join(order))
        read_line_with(process, "go")
        time.sleep(chance.uniform(0, longest))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=TIMEOUT)
        kills += 1
        stored = installation.secrets()
        is_done = all(reads(order[0], text) for text in stored)
        longest *= 0.8 if is_done else 1.25  # however fast the machine is just now
        done += is_done
        if is_done:
            order.reverse()  # and back again, so that each round has something to do
        readable += len(stored) == 40 and all(reads(OLD, text) or reads(NEW, text) for text in stored)
        twice += sum(bool(re.match("gAAAA", _opened(text))) for text in stored)
    print(f"\nseed {SEED}, {kills} kills ({done} after the commit): {readable} times readable, {twice} encrypted twice")
    assert (readable, twice) == (kills, 0)


def _opened(text: str) -> str:
    for key in (OLD, NEW):
        try:
            return Fernet(key).decrypt(text.encode()).decode()
        except InvalidToken:
            continue
    return "gAAAA"


def test_the_documented_order_keeps_every_process_working(tmp_path: Path, migrated_file: Path) -> None:
    """New key in front, restart, rotate, drop the old one: at no moment does a restarted process fail."""
    made = Installation(tmp_path, migrated_file)
    made.run("-c", FILL.replace("range(40)", "range(2)"), key=OLD)
    check = COMMANDS["check"]
    assert made.run(*check, key=f"{NEW},{OLD}")[0] == 0  # restarted, before the rotation
    assert made.run("manage.py", "rotate_encryption_key", key=f"{NEW},{OLD}")[0] == 0
    assert made.run(*check, key=f"{NEW},{OLD}")[0] == 0  # after it
    assert made.run(*check, key=NEW)[0] == 0  # the old one dropped
    assert made.run(*check, key=OLD)[0] != 0  # who was never restarted says so
