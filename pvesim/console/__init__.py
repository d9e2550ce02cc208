"""The displays of guests: tickets and ports in front of them, WebSocket and VNC on the way, a picture behind."""
