"""A real Samba Active Directory for tests, on an address of this machine alone. Only root may have its ports."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from pvesim.tls import Authority
from tests.waits import TIMEOUT, stop_process

ADDRESS = "127.0.0.1"
REALM, BASE = "school.test", "DC=school,DC=test"
PASSWORD = "Correct-Horse-7"
PEOPLE = ("cora", "moved", "disabled", "expired", "mustchange", "locked")

# Of all that Samba does, LDAP alone.
CONFIG = """[global]
    netbios name = DC1
    realm = {realm}
    workgroup = SCHOOL
    server role = active directory domain controller
    server services = ldap
    interfaces = lo
    bind interfaces only = yes
    tls cafile = {private}/ca.pem
    tls certfile = {private}/cert.pem
    tls keyfile = {private}/key.pem
    private dir = {private}
    lock directory = {folder}
    state directory = {folder}/state
    cache directory = {folder}/cache
    binddns dir = {folder}/bind-dns
    pid directory = {folder}
    ncalrpc dir = {folder}/ncalrpc
    log file = {folder}/log
"""


def tool() -> str | None:
    return shutil.which("samba-tool") if shutil.which("samba", path="/usr/sbin") and os.geteuid() == 0 else None


class Samba:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="labportal-samba."))
        self.authority = Authority("School")
        self._run(
            "domain", "provision", f"--targetdir={self.folder}", f"--realm={REALM.upper()}", "--domain=SCHOOL",
            "--server-role=dc", "--dns-backend=NONE", f"--adminpass={PASSWORD}", "--host-name=dc1",
        )  # fmt: skip
        self._trust()
        self._populate()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"ldaps://{ADDRESS}"

    @property
    def ca(self) -> str:
        return self.authority.certificate.pem

    def _run(self, *arguments: str) -> None:
        offline = [] if arguments[1] == "provision" else ["-H", str(self.folder / "private/sam.ldb")]
        command = ["samba-tool", *arguments, *offline]
        done = subprocess.run(command, check=False, capture_output=True, timeout=5 * TIMEOUT)
        assert done.returncode == 0, (arguments, done.stderr.decode())

    def _trust(self) -> None:
        """Samba's own certificate has no name that any client compares."""
        certificate = _for_address(self.authority)
        for name, text in (("ca", self.ca), ("cert", certificate[0]), ("key", certificate[1])):
            path = self.folder / f"private/{name}.pem"
            path.touch(mode=0o600)
            path.write_text(text)
        private = self.folder / "private"
        (self.folder / "etc/smb.conf").write_text(
            CONFIG.format(folder=self.folder, private=private, address=ADDRESS, realm=REALM.upper())
        )

    def _populate(self) -> None:
        self._run("domain", "passwordsettings", "set", "--account-lockout-threshold=3", "--history-length=0")
        for name in PEOPLE:
            self._run("user", "create", name, PASSWORD, "--given-name=A", f"--surname={name.title()}")
        for group in ("teachers", "staff", "pupils", "everyone"):
            self._run("group", "add", group)
        self._run("group", "addmembers", "teachers", "cora")
        self._run("group", "addmembers", "staff", "teachers")
        self._run("group", "addmembers", "pupils", "cora")
        self._run("group", "addmembers", "everyone", "pupils")
        self._run("user", "setprimarygroup", "cora", "pupils")
        self._run("ou", "add", f"OU=Next year,{BASE}")
        self._run("user", "disable", "disabled")
        self._run("user", "setexpiry", "expired", "--days=-1")
        self._run("user", "setpassword", "mustchange", f"--newpassword={PASSWORD}", "--must-change-at-next-login")

    def move(self, name: str) -> None:
        self._run("user", "move", name, f"OU=Next year,{BASE}")

    def start(self) -> "Samba":
        command = ["/usr/sbin/samba", "--foreground", "--no-process-group", "--model=single", "-s",
                   str(self.folder / "etc/smb.conf")]  # fmt: skip
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.PIPE)
        deadline = time.monotonic() + TIMEOUT
        while True:
            assert self.process.poll() is None, (self.folder / "said").read_text()
            assert time.monotonic() < deadline, "Samba does not answer"
            try:
                socket.create_connection((ADDRESS, 636), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return self

    def remove(self) -> None:
        if self.process:
            stop_process(self.process)
        shutil.rmtree(self.folder)


def _for_address(authority: Authority) -> tuple[str, str]:
    """Certificate and key for 127.0.0.1, in the way of Active Directory."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - of this function alone
    from ipaddress import ip_address  # noqa: PLC0415

    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer, now = authority.certificate.x509, datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dc1.school.test")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(ADDRESS))]), critical=False)
        .sign(authority.certificate.key, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.TraditionalOpenSSL
    return (
        made.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(serialization.Encoding.PEM, plain, serialization.NoEncryption()).decode(),
    )
