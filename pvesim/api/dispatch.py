"""From a request to its answer: who asks, may they, which node, with what."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import unquote

from pvesim.acl import Identity
from pvesim.api import (
    access,
    agent,
    clone,
    cloudinit,
    clusters,
    config,
    consoles,
    datacenter,
    guests,
    ha,
    metrics,
    migrate,
    nodes,
    pools,
    provision,
    snapshots,
    storages,
    tasks,
    tokens,
    users,
)
from pvesim.api.call import NOBODY, Call, Result, Route, Routes, is_root
from pvesim.errors import ApiError, failed
from pvesim.http import (
    Document,
    MalformedJsonError,
    Message,
    Response,
    document_response,
    json_response,
    text_response,
)
from pvesim.nodes import GatewayError, Node
from pvesim.parameters import verify
from pvesim.state import ClusterState

ROUTES = Routes()
MODULES = (
    *(access, users, tokens, clusters, datacenter, ha, nodes, storages, pools, tasks),
    *(guests, config, cloudinit, clone, provision, migrate, snapshots, agent, metrics, consoles),
)
ROUTES.include(module.ROUTES for module in MODULES)

PUBLIC = {(route.method, route.path) for route in ROUTES if route.public}

PREFIX = "/api2/json"
EXTJS_PREFIX = "/api2/extjs"
SCHEME = "PVEAPIToken="
COOKIE = "PVEAuthCookie"
PMXCFS_DOWN = "RPCEnvironment init request failed: Unable to load access control list: Connection refused"


def api_path(message: Message) -> str:
    """The path below the prefix of its format; other paths are whole."""
    for prefix in (PREFIX, EXTJS_PREFIX):
        if message.path.startswith(f"{prefix}/"):
            return message.path.removeprefix(prefix)
    return message.path


def answer(cluster: ClusterState, entry_node: Node, message: Message) -> Response:
    path = api_path(message)
    if path == message.path:
        return text_response(500, f"no such file '{path}'")
    is_extjs = message.path.startswith(EXTJS_PREFIX)
    try:
        result, connections = _perform(cluster, entry_node, message, path)
        if isinstance(result.data, Document) and not is_extjs:
            return replace(document_response(result.data), connections=connections)
        envelope = {"data": _content(result.data), **result.extra, **({"success": 1} if is_extjs else {})}
        response = json_response(200, "OK", cluster.ordering.envelope(envelope))
        return replace(response, connections=connections, delay=result.delay, tunnel=result.tunnel)
    except MalformedJsonError as problem:
        return problem.response
    except ApiError as error:
        if is_extjs and not error.bare:
            return json_response(200, "OK", cluster.ordering.apply(_extjs_error(error)))
        return _error_response(cluster, error)


def _content(data: object) -> object:
    return json.loads(data.body)["data"] if isinstance(data, Document) else data


def _error_response(cluster: ClusterState, error: ApiError) -> Response:
    """A bare error of the HTTP layer has no body at all. Every 401 takes its time."""
    reason = error.message.split("\n")[0]
    delay = cluster.unauthorized_delay if error.status == 401 else error.delay
    if error.bare:
        return replace(Response(error.status, reason).closing(), delay=delay)
    content: dict[str, object] = {"data": None}
    if cluster.release.errors_have_a_message:
        content["message"] = error.message
    if error.errors:
        content["errors"] = dict(error.errors)
    response = json_response(error.status, reason, cluster.ordering.apply(content))
    return replace(response.closing(), delay=delay)


def _extjs_error(error: ApiError) -> dict[str, object]:
    """This format is for browsers, which are told of every failure by a success."""
    content: dict[str, object] = {"data": None, "success": 0, "status": error.status, "message": error.message}
    if error.errors:
        content["errors"] = dict(error.errors)
    return content


def claimed_identity(message: Message) -> str:
    """Whom the request claims to come from, for the request log; nothing is verified, no secret is kept."""
    ticket = _cookie(message.headers)
    if ticket:
        return ticket.split(":")[1] if ticket.count(":") > 1 else "?"
    authorization = message.headers.get("authorization", "")
    if authorization.startswith(SCHEME):
        full_id, separator, _ = authorization.removeprefix(SCHEME).partition("=")
        return full_id if separator and "!" in full_id else "?"
    return ""


def _perform(cluster: ClusterState, entry_node: Node, message: Message, path: str) -> tuple[Result, tuple[str, ...]]:
    """The answer and its `Connection` headers."""
    _require_pmxcfs(cluster, entry_node)
    identity = _authenticate(cluster, message, path)
    route, places = ROUTES.find(message.verb, path, cluster.release)
    _authorize(cluster, route, identity, places, path)
    target = _local(cluster, entry_node, places) if route.local else _target(cluster, entry_node, places)
    worker = entry_node if route.local else target or entry_node
    _require_pmxcfs(cluster, worker)
    given = {**message.parameters(), **places}
    if target is not None:
        given["node"] = target.name

    def work() -> Result:
        values = verify(route.params, given, is_root=is_root(identity), release=cluster.release)
        return _result_of(route, Call(cluster, entry_node, identity, values))

    if route.protected:
        _raise_if_set(worker.daemon_error)
        _buffer_if_frozen(worker, work)
    return work(), _connections(route, entry_node, worker)


def _result_of(route: Route, call: Call) -> Result:
    result = route.handler(call)
    if not isinstance(result, Result):
        result = Result(result)
    if isinstance(result.data, Document):
        return result
    return replace(result, data=call.cluster.ordering.apply(result.data, rows=route.unordered))


def _require_pmxcfs(cluster: ClusterState, node: Node) -> None:
    """Without the cluster's file system a node knows neither users nor permissions: nothing works, no login either."""
    if node.pmxcfs_down:
        raise ApiError(500, PMXCFS_DOWN, bare=True, delay=cluster.unauthorized_delay)


def _buffer_if_frozen(worker: Node, work: Callable[[], object]) -> None:
    """A frozen daemon has read the request, and does the work once it thaws, when nobody waits for the answer."""
    if worker.frozen is not None:
        worker.frozen.work.append(work)
        raise ApiError(596, "Connection timed out", bare=True, delay=worker.frozen.timeout)


def _authenticate(cluster: ClusterState, message: Message, path: str) -> Identity:
    now = cluster.timeline.now()
    ticket, authorization = _cookie(message.headers), message.headers.get("authorization", "")
    if not ticket and authorization.startswith(SCHEME):
        return _token_identity(cluster, authorization.removeprefix(SCHEME), now)
    if (message.verb, path) in PUBLIC:
        return NOBODY
    if not ticket:
        raise _unauthorized("No ticket")
    user = cluster.tickets.owner_of(ticket, now)
    if user is None or not cluster.accounts.user_may_enter(user, now):
        raise _unauthorized(cluster.release.bad_ticket)
    csrf_token = message.headers.get("csrfpreventiontoken", "")
    if message.verb != "GET" and not cluster.tickets.is_csrf_token_of(user, csrf_token, now):
        raise _unauthorized("Permission denied - invalid csrf token")
    return Identity(user)


def _token_identity(cluster: ClusterState, value: str, now: float) -> Identity:
    full_id, _, secret = value.partition("=")
    token = cluster.accounts.token_may_enter(full_id, secret, now)
    if token is None:
        raise _unauthorized("Authentication failed!")
    return token.identity


def _cookie(headers: Mapping[str, str]) -> str:
    """The ticket: from the cookie, or from an Authorization header of the same form."""
    for source in (headers.get("cookie", ""), headers.get("authorization", "")):
        for part in source.split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE and value:
                return unquote(value)
    return ""


def _authorize(cluster: ClusterState, route: Route, identity: Identity, places: Mapping[str, str], path: str) -> None:
    if identity.tokenid and not route.for_tokens:
        # The line break within the parenthesis is the real one.
        message = f"Permission check failed (URI '{path}' not available with API token, need proper ticket.\n)\n"
        raise ApiError(403, message)
    if route.permission:
        route.permission.check(cluster, identity, places)


def _target(cluster: ClusterState, entry_node: Node, places: Mapping[str, str]) -> Node | None:
    """The node which the path names. Any node passes the call on to it, if it can."""
    name = places.get("node")
    if name is None:
        return None
    if name == "localhost":
        return entry_node
    node = _node_named(cluster, name)
    if not cluster.sees(entry_node, node):
        away = node if entry_node.online else entry_node
        raise ApiError(595, away.unreachable, bare=True, delay=away.timeout)
    if node is not entry_node:
        _raise_if_set(node.gateway_error)
    return node


def _local(cluster: ClusterState, entry_node: Node, places: Mapping[str, str]) -> Node:
    """The node which the path names, be it within reach or not."""
    name = places["node"]
    return entry_node if name == "localhost" else _node_named(cluster, name)


def _node_named(cluster: ClusterState, name: str) -> Node:
    node = cluster.nodes.get(name)
    if node is None:
        problem = f"failed to get address info for: {name}: {cluster.resolver_error}"
        raise failed(f"hostname lookup '{name}' failed - {problem}")
    return node


def _raise_if_set(gateway_error: GatewayError | None) -> None:
    if gateway_error is not None:
        raise ApiError(gateway_error.status, gateway_error.reason, bare=True, delay=gateway_error.timeout)


def _connections(route: Route, entry_node: Node, worker: Node) -> tuple[str, ...]:
    """Whatever passes through a second daemon comes back with that one's header beside the own one."""
    if worker is not entry_node:
        return ("close,Keep-Alive" if route.protected else "Keep-Alive", "Keep-Alive")
    return ("close", "Keep-Alive") if route.protected else ("Keep-Alive",)


def _unauthorized(reason: str) -> ApiError:
    return ApiError(401, reason, bare=True)
