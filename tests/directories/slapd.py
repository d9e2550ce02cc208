"""A real OpenLDAP server for tests, on free ports of this machine, with TLS by an authority of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pvesim.tls import Authority
from tests.waits import TIMEOUT, stop_process

BASE = "dc=school,dc=test"
READER, READER_PASSWORD = f"cn=reader,{BASE}", "reads everything"
PASSWORD = "correct horse battery"
SCHEMAS = ("core", "cosine", "inetorgperson", "nis")

Values = Mapping[str, str | bytes | Sequence[str | bytes]]

CONFIG = """
{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb.so
{modules}
pidfile {folder}/pid
argsfile {folder}/args
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
sizelimit {size_limit}
database mdb
maxsize 268435456
suffix "{base}"
rootdn "cn=root,{base}"
rootpw "{password}"
directory {folder}/data
dbnosync
index objectClass,uid,entryUUID,member,memberUid eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,{base}" read by * none
{overlays}
"""


def slapd_program() -> str | None:
    return shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def run(command: list[str], text: bytes) -> None:
    done = subprocess.run(command, input=text, check=False, capture_output=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr.decode()


def ldif(entries: Iterable[tuple[str, Values]]) -> bytes:
    """With all values in base64, which any name survives."""
    lines: list[str] = []
    for dn, attributes in entries:
        lines.append(f"dn:: {encoded(dn)}")
        for name, values in attributes.items():
            several = [values] if isinstance(values, str | bytes) else values
            lines += [f"{name}:: {encoded(value)}" for value in several]
        lines.append("")
    return "\n".join(lines).encode()


def encoded(value: str | bytes) -> str:
    return b64encode(value.encode() if isinstance(value, str) else value).decode()


def person(uid: str, ou: str = "pupils", **more: str | bytes | Sequence[str | bytes]) -> tuple[str, Values]:
    """An entry with the common password. Names that are not told come from the uid."""
    cn = str(more.pop("cn", uid))
    attributes: dict[str, str | bytes | Sequence[str | bytes]] = {
        "objectClass": ["inetOrgPerson", *more.pop("classes", ())],
        "cn": cn, "uid": uid, "sn": uid.title(), "givenName": "A", "mail": f"{uid}@school.test",
        "userPassword": PASSWORD,
    }  # fmt: skip
    return f"cn={escaped(cn)},ou={ou},{BASE}", attributes | more


def group(cn: str, *members: str, ou: str = "groups") -> tuple[str, Values]:
    return f"cn={escaped(cn)},ou={ou},{BASE}", {"objectClass": "groupOfNames", "cn": cn, "member": list(members)}


def unit(name: str) -> tuple[str, Values]:
    return f"ou={name},{BASE}", {"objectClass": "organizationalUnit", "ou": name}


def escaped(value: str) -> str:
    """As a part of a DN."""
    text = "".join(f"\\{one}" if one in ',+"\\<>;=#' else one for one in value)
    return f"\\{text}" if text.startswith(" ") else text


ROOTS: list[tuple[str, Values]] = [
    (BASE, {"objectClass": ["dcObject", "organization"], "dc": "school", "o": "School"}),
    (READER, {"objectClass": ["applicationProcess", "simpleSecurityObject"], "cn": "reader",
              "userPassword": READER_PASSWORD}),
    *(unit(name) for name in ("pupils", "staff", "groups")),
]  # fmt: skip


@dataclass
class Slapd:
    """`names` are those of its certificate. `policy`: it tells that a password must be changed, or is locked."""

    member_of: bool = True
    policy: bool = False
    size_limit: str = "unlimited"
    schemas: Sequence[str] = SCHEMAS
    names: Sequence[str] | None = None  # of this machine
    certificate_is_over: bool = False
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="labportal-slapd.")))
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        # In a folder of its own and by its own name: Debian's AppArmor profile lets slapd read nothing below /tmp.
        program = slapd_program()
        assert program
        for name in ("slapd", "slapadd"):
            shutil.copy(program, self.folder / name)
        (self.folder / "data").mkdir()
        self.plain_port, self.tls_port = free_ports(2)
        self.authority = Authority("School")
        (self.folder / "ca.pem").write_text(self.ca)
        self.present(self.names, is_over=self.certificate_is_over)
        self._configure()

    @property
    def ca(self) -> str:
        return self.authority.certificate.pem

    @property
    def uri(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def plain_uri(self) -> str:
        return f"ldap://127.0.0.1:{self.plain_port}"

    def present(self, names: Sequence[str] | None, *, is_over: bool = False) -> None:
        """The certificate from the next start on."""
        certificate = self.authority.issue("directory", names=names, is_over=is_over)
        (self.folder / "server.pem").write_text(certificate.pem)
        (self.folder / "server.key").write_text(certificate.key_pem)

    def _configure(self) -> None:
        modules = ["memberof.so"] * self.member_of + ["ppolicy.so"] * self.policy
        overlays = ["overlay memberof"] * self.member_of
        if self.policy:
            default = f'ppolicy_default "cn=policy,{BASE}"'
            overlays += ["overlay ppolicy", default, "ppolicy_use_lockout"]
        text = CONFIG.format(
            folder=self.folder, base=BASE, password=PASSWORD, size_limit=self.size_limit,
            schemas="\n".join(f"include /etc/ldap/schema/{name}.schema" for name in self.schemas),
            modules="\n".join(f"moduleload {name}" for name in modules), overlays="\n".join(overlays),
        )  # fmt: skip
        (self.folder / "slapd.conf").write_text(text)

    def load(self, entries: Iterable[tuple[str, Values]]) -> None:
        """Before it is started: thousands within a second. No overlay sees it, so nobody is `memberOf` anything."""
        run([str(self.folder / "slapadd"), "-q", "-f", str(self.folder / "slapd.conf")], ldif(entries))

    def start(self) -> "Slapd":
        listen = f"{self.plain_uri}/ {self.uri}/"
        command = [self.folder / "slapd", "-f", self.folder / "slapd.conf", "-h", listen, "-d", "0"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + TIMEOUT
        while True:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "slapd does not answer"
            try:
                socket.create_connection(("127.0.0.1", self.tls_port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self

    def stop(self) -> None:
        if self.process:
            stop_process(self.process)
            self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def add(self, entries: Iterable[tuple[str, Values]]) -> None:
        self._ask("ldapadd", ldif(entries))

    def change(self, text: str) -> None:
        """An LDIF of changes."""
        self._ask("ldapmodify", text.encode())

    def _ask(self, program: str, text: bytes) -> None:
        run([program, "-x", "-H", self.plain_uri, "-D", f"cn=root,{BASE}", "-w", PASSWORD], text)
