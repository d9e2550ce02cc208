"""Consoles in the browser: bytes of the VNC protocol, passed on by a websocket that knows who is behind it.

The browser meets the portal alone: no address, ticket or password of a cluster reaches it.
"""

from vms.console.websocket import serve

__all__ = ["serve"]
