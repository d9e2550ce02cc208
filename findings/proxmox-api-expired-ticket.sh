#!/bin/sh
# proxmox-api 1.1.1 (npm), undici 6.29.1. Needs npm. Seen on 30 November 2026.
#
# Signed in with a password, this client notices that its ticket has ended (after two hours,
# https://pve.proxmox.com/wiki/Proxmox_VE_API#Ticket_Cookie) by the reason phrase of the 401: it logs in again only for
# "invalid PVE ticket" with or without "permission denied - ". Proxmox VE 9.2.11 says "401 Authentication failed!" without a body
# instead. The client then keeps the dead ticket: every call fails until the program is started again, though the password is right.
# One would expect any 401 to a ticket to lead to one new login, as a reason phrase is text for people that a client should
# ignore (RFC 9112, section 4). Work around it: an API token, or a new client object before the two hours are over.
# Lab Portal throws the ticket away at any 401, and logs in again once.
set -eu
command -v npm >/dev/null || { echo "needs npm"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "overrides": {"undici": "6.29.1"}}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts proxmox-api@1.1.1

cat >ask.mjs <<'JS'
import {createServer} from 'node:http';
import proxmox from 'proxmox-api';

/** Ask for the nodes four times. The first ticket ends after the first answer, with `reason`. */
async function ask(reason) {
  let logins = 0;
  let ended = false;
  const server = createServer((request, response) => {
    const json = data => {
      response.writeHead(200, {'Content-Type': 'application/json;charset=UTF-8'});
      response.end(JSON.stringify({data}));
    };
    if (request.url === '/api2/json/access/ticket') {
      logins++;
      json({username: 'portal@pve', ticket: `PVE:portal@pve:${logins}`, CSRFPreventionToken: 'token'});
    } else if (ended && request.headers.cookie === 'PVEAuthCookie=PVE:portal@pve:1') {
      response.writeHead(401, reason, {'Content-Length': 0, Connection: 'close'});
      response.end();
    } else {
      json([{node: 'pve1'}]);
    }
  });
  await new Promise(ready => server.listen(0, '127.0.0.1', ready));
  const {port} = server.address();
  const api = proxmox({schema: 'http', host: '127.0.0.1', port, username: 'portal@pve', password: 'secret'});
  const seen = [];
  for (let call = 0; call < 4; call++) {
    seen.push(await api.nodes.$get().then(rows => rows[0].node, () => 'error'));
    ended = true;
  }
  console.log(`${reason}: ${seen.join(' ')}, logins: ${logins}`);
  server.close();
}

await ask('permission denied - invalid PVE ticket');
await ask('Authentication failed!');
process.exit();
JS
node ask.mjs >out
cat out
[ "$(cat out)" = "permission denied - invalid PVE ticket: pve1 pve1 pve1 pve1, logins: 2
Authentication failed!: pve1 error error error, logins: 1" ] || { echo "CHANGED: an ended ticket is replaced"; exit 1; }
