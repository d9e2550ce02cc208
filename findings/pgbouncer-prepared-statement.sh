#!/bin/sh
# PgBouncer 1.18 (Debian 12), pool_mode = transaction; psycopg 3.3.9; PostgreSQL 15. Needs both programs installed.
#
# psycopg prepares a query that it sees often, and names it _pg3_0, _pg3_1, … – the same names in every client. PgBouncer
# before 1.21 passes the name to any free server process. If another client has prepared a statement with that
# name there, that one runs: no error, but the answer to another question. Here a client asks for the price and gets the
# stock. Work around it: prepare_threshold=None, or PgBouncer 1.21 with max_prepared_statements.
set -eu
export PATH="$PATH:/usr/sbin:$(echo /usr/lib/postgresql/*/bin)"
for program in pgbouncer initdb setpriv; do
    command -v "$program" >/dev/null || { echo "needs $program"; exit 2; }
done
# Neither server runs as root.
as=
[ "$(id -u)" -ne 0 ] || as="setpriv --reuid=postgres --regid=postgres --clear-groups"
folder=$(mktemp -d /tmp/finding.XXXXXX)
[ -z "$as" ] || chown postgres "$folder"
cd "$folder"
stop() {
    [ -z "${bouncer:-}" ] || kill "$bouncer"
    $as pg_ctl --pgdata=data --mode=immediate stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT

python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.9'
$as initdb --pgdata=data --username=demo --auth=trust --no-sync >/dev/null
$as pg_ctl --pgdata=data --log=log --wait -o "-c listen_addresses= -c unix_socket_directories=$folder" start >/dev/null
cat >pgbouncer.ini <<INI
[databases]
* = host=$folder user=demo
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = $folder
auth_type = any
pool_mode = transaction
default_pool_size = 2
INI
chmod 644 pgbouncer.ini
$as pgbouncer --quiet pgbouncer.ini >bouncer.log 2>&1 &
bouncer=$!

cat >look.py <<'PYTHON'
import sys
import time

import psycopg

PID = "SELECT pg_backend_pid()"
PRICE, STOCK = "SELECT 'price of ' || %s::text", "SELECT 'stock of ' || %s::text"


def client(prepare):
    return psycopg.connect(f"host={sys.argv[1]} port=6432 user=demo dbname=postgres", prepare_threshold=prepare)


def asked(prepare):
    """Two clients in a transaction each, so on a server process each; then the first one lands on the other's."""
    shop, store, third = client(prepare), client(prepare), client(None)
    shop.execute(PRICE, ["tea"])
    store.execute(STOCK, ["tea"])
    first = shop.execute(PID, prepare=False).fetchone()
    shop.commit()
    assert third.execute(PID, prepare=False).fetchone() == first  # the only one that is free
    store.commit()
    found = shop.execute(PRICE, ["tea"]).fetchone()[0]
    for one in (shop, store, third):
        one.close()
    return found


for _ in range(100):
    try:
        client(None).close()
        break
    except psycopg.OperationalError:
        time.sleep(0.1)
print("prepared:", asked(0))
time.sleep(0.2)
print("not prepared:", asked(None))
PYTHON
pgbouncer --version | head -n 1
venv/bin/python look.py "$folder" | tee out
[ "$(cat out)" = "prepared: stock of tea
not prepared: price of tea" ] || { echo "CHANGED: the other client's statement does not answer any more"; exit 1; }
