"""Consoles in the browser: a websocket relays the VNC protocol for a person who is logged in.

The browser connects to the portal alone: no address, ticket or password of a cluster reaches it.
"""

from vms.console.websocket import serve

__all__ = ["serve"]
