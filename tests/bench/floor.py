"""The least that writing everything costs: fetch, parse, and one upsert of all rows. It checks and compares nothing."""

import json
import tempfile
from datetime import UTC, datetime, timedelta

import requests
from django.db import connection, transaction

from tests.bench.world import Place

COLUMNS = (
    "cluster_id", "vmid", "kind", "name", "node", "lock", "ha_state", "template", "pool", "tags", "cpus", "memory",
    "disk", "status", "uptime", "booted_at",
)  # fmt: skip
TYPES = {
    "vmid": "integer", "template": "bool", "cpus": "double precision", "memory": "bigint", "disk": "bigint",
    "uptime": "bigint", "booted_at": "timestamp with time zone",
}  # fmt: skip
TABLE = "bench_floor"


class Floor:
    """Of all clusters, each by a connection that stays open."""

    def __init__(self, places: list[Place]) -> None:
        self._places = [(place, _session(place)) for place in places]
        names = ", ".join(f"{name} {TYPES.get(name, 'varchar(500)')}" for name in COLUMNS)
        with connection.cursor() as cursor:
            key = "integer PRIMARY KEY" if connection.vendor == "sqlite" else "bigserial PRIMARY KEY"
            cursor.execute(f"CREATE TABLE {TABLE} (id {key}, {names}, UNIQUE (cluster_id, vmid))")
        others = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[2:])
        marks = ", ".join(["%s"] * len(COLUMNS))
        self._upsert = (
            f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({marks}) "  # noqa: S608 - constants
            f"ON CONFLICT (cluster_id, vmid) DO UPDATE SET {others}"
        )

    def sync(self) -> None:
        for place, session in self._places:
            url = f"https://{place.host}:{place.port}/api2/json/cluster/resources"
            found = json.loads(session.get(url, timeout=30).content)["data"]
            now = datetime.now(UTC)
            rows = [_row(place.name, entry, now) for entry in found if entry["type"] in ("qemu", "lxc")]
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.executemany(self._upsert, rows)


def _session(place: Place) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
        file.write(place.ca_pem)
    session.verify = file.name
    session.headers["Authorization"] = f"PVEAPIToken={place.token_id}={place.token_secret}"
    return session


def _row(cluster_id: str, entry: dict[str, object], now: datetime) -> tuple[object, ...]:
    get, uptime = entry.get, int(str(entry["uptime"]))
    booted_at = connection.ops.adapt_datetimefield_value(now - timedelta(seconds=uptime)) if uptime else None
    return (
        cluster_id, get("vmid"), get("type"), get("name"), get("node"), get("lock", ""), get("hastate", ""),
        bool(get("template")), get("pool", ""), get("tags", ""), get("maxcpu"), get("maxmem"), get("maxdisk"),
        get("status"), uptime, booted_at,
    )  # fmt: skip
