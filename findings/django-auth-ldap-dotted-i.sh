#!/bin/sh
# django-auth-ldap 5.4.0, python-ldap 3.4.8, slapd 2.5.13 (Debian 12). Needs slapd, ldap-utils, gcc, python3-dev, libldap-dev and
# libsasl2-dev.
#
# LDAPSearch writes the DNs that it finds in lower case ("the normal form of a DN"), and the bind uses those. In Unicode the lower
# case of İ is two characters, i and a combining dot, which no directory takes for İ: somebody whose DN has it, as many Turkish
# names have, is told that the password is wrong. Work around it: a search of your own that leaves the DN alone.
set -eu
export PATH="$PATH:/usr/sbin"
command -v slapd >/dev/null && command -v ldapadd >/dev/null || { echo "needs slapd and ldap-utils"; exit 2; }
folder=$(mktemp -d /tmp/finding.XXXXXX)
stop() {
    [ ! -f "$folder/pid" ] || kill "$(cat "$folder/pid")"
    rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check python-ldap==3.4.8 django-auth-ldap==5.4.0 Django==5.2.19
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir data
cat >slapd.conf <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb.so
pidfile $folder/pid
database mdb
suffix "dc=x"
rootdn "cn=root,dc=x"
rootpw secret
directory $folder/data
CONF
cp "$(command -v slapd)" slapd  # Debian's AppArmor profile is of the other path
./slapd -f slapd.conf -h "ldap://127.0.0.1:$port"
sleep 1
ldapadd -x -H "ldap://127.0.0.1:$port" -D cn=root,dc=x -w secret >/dev/null <<LDIF
dn: dc=x
objectClass: dcObject
objectClass: organization
dc: x
o: x

dn: cn=Ismail,dc=x
objectClass: inetOrgPerson
sn: Ismail
uid: ismail
userPassword: password

dn: cn=İbrahim,dc=x
objectClass: inetOrgPerson
sn: İbrahim
uid: ibrahim
userPassword: password
LDIF
cat >ask.py <<'PYTHON'
import sys
import django
from django.conf import settings

settings.configure()
import ldap
from django_auth_ldap.config import LDAPSearch

for uid in ("ismail", "ibrahim"):
    connection = ldap.initialize(sys.argv[1])
    ((dn, _attributes),) = LDAPSearch("dc=x", ldap.SCOPE_SUBTREE, "(uid=%(user)s)").execute(connection, {"user": uid})
    try:
        connection.simple_bind_s(dn, "password")
        print(f"{uid}: bound as {dn!r}")
    except ldap.INVALID_CREDENTIALS:
        print(f"{uid}: INVALID_CREDENTIALS for {ascii(dn)}")
PYTHON
venv/bin/python ask.py "ldap://127.0.0.1:$port" | tee out
grep -q '^ismail: bound' out && grep -q '^ibrahim: INVALID_CREDENTIALS' out || { echo "CHANGED: the DN is left alone"; exit 1; }
