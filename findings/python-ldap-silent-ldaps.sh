#!/bin/sh
# python-ldap 3.4.8, OpenLDAP's library 2.5.13 with GnuTLS (Debian 12). Needs gcc, python3-dev, libldap-dev, libsasl2-dev.
#
# OPT_NETWORK_TIMEOUT and OPT_TIMEOUT bound a bind over ldap://. Over ldaps:// they do not: to a server that takes the
# connection and stays silent, the negotiation of TLS blocks for ever, in C, where no signal handler of Python runs. A sign-in
# that meets a directory which hangs keeps its thread. Work around it: negotiate TLS with Python's ssl and a timeout first,
# and only then let the library connect.
set -eu
folder=$(mktemp -d /tmp/finding.XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check python-ldap==3.4.8
cat >ask.py <<'PYTHON'
import socket, sys, time
import ldap

silent = socket.create_server(("127.0.0.1", 0))
connection = ldap.initialize(f"{sys.argv[1]}://127.0.0.1:{silent.getsockname()[1]}")
connection.set_option(ldap.OPT_NETWORK_TIMEOUT, 1.0)
connection.set_option(ldap.OPT_TIMEOUT, 1.0)
begun = time.monotonic()
try:
    connection.simple_bind_s("cn=reader", "password")
except ldap.TIMEOUT:
    print(f"{sys.argv[1]}: ldap.TIMEOUT after {time.monotonic() - begun:.0f} s")
PYTHON
venv/bin/python ask.py ldap
# It answers in time with ldap.TIMEOUT, or with ldap.SERVER_DOWN, once the timeouts count.
code=0
timeout --signal=KILL 10 venv/bin/python ask.py ldaps || code=$?
[ "$code" = 137 ] || { echo "CHANGED: the timeouts bound the negotiation of TLS"; exit 1; }
echo "ldaps: no answer after 10 s, in spite of a timeout of 1 s"
