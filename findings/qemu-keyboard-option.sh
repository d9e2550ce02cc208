#!/bin/sh
# QEMU 7.2.22 (Debian 12), qemu-system-x86_64. Needs that program and Python.
#
# With -k LAYOUT, QEMU's VNC server still announces "QEMU extended key events", and then ignores the key codes in them: it
# looks for the keysym in the layout. A client that got the announcement sends a code with every key and a keysym that may
# belong to another layout, or 0 where it has none. Such keys are lost without a word, here the key left of Return that is
# a dead accent on the client's Spanish keyboard, with -k en-us. Expected: with codes at hand, QEMU uses them, or it
# doesn't announce that it takes them. Work around it: start QEMU without -k (Proxmox VE: no option `keyboard`), or send for
# each key a keysym that this layout has on that key.
set -eu
for program in qemu-system-x86_64 python3; do
    command -v "$program" >/dev/null || { echo "needs $program"; exit 2; }
done
folder=$(mktemp -d /tmp/finding.XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >look.py <<'PYTHON'
import re
import socket
import struct
import subprocess
import sys
import time

CODES = -258  # the pseudo encoding
A, DEAD_ACUTE = (0x61, 0x1E), (0xFE51, 0x28)  # keysym and code


def exactly(sock, count):
    data = b""
    while len(data) < count:
        data += sock.recv(count - len(data)) or sys.exit("QEMU hung up")
    return data


def keys(*options):
    """Whether codes are announced, and the names of the keys that the guest gets of A and the dead accent."""
    command = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-device", "VGA", "-vnc", "unix:vnc"]
    command += ["-trace", "input_event_key_qcode", *options]
    with open("log", "w") as log, subprocess.Popen(command, stderr=log) as qemu:
        try:
            sock = socket.socket(socket.AF_UNIX)
            while sock.connect_ex("vnc"):
                time.sleep(0.1)
            exactly(sock, 12)
            sock.sendall(b"RFB 003.008\n")
            exactly(sock, exactly(sock, 1)[0])
            sock.sendall(b"\1")
            exactly(sock, 4)
            sock.sendall(b"\1")
            exactly(sock, struct.unpack(">20xI", exactly(sock, 24))[0])
            sock.sendall(struct.pack(">BxHi", 2, 1, CODES))
            announced = exactly(sock, 16)[12:] == struct.pack(">i", CODES)
            for keysym, code in (A, DEAD_ACUTE):
                for down in (1, 0):
                    sock.sendall(struct.pack(">BBHII", 255, 0, down, keysym, code))
            time.sleep(1)
        finally:
            qemu.terminate()
    with open("log") as log:
        return announced, re.findall(r"qcode (\w+), down 1", log.read())


without, with_option = keys(), keys("-k", "en-us")
print("without -k:   announced and pressed:", *without)
print("with -k en-us: announced and pressed:", *with_option)
if (without, with_option) != ((True, ["a", "apostrophe"]), (True, ["a", "unmapped"])):
    sys.exit("CHANGED: QEMU takes the codes, or does not announce them.")
PYTHON
python3 look.py
