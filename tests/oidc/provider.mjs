// A real OpenID Connect provider for the tests: `node provider.mjs`, with its settings as JSON in the first argument.
// It prints its issuer when it listens. `POST /tests` changes what it does: {"clock": seconds, "keys": JWKs}.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const clock = Date.now;
const people = new Map();

function configuration(port) {
  return {
    clients: [{
      client_id: settings.client_id,
      client_secret: settings.client_secret,
      redirect_uris: settings.redirect_uris,
      post_logout_redirect_uris: settings.post_logout_redirect_uris,
      id_token_signed_response_alg: settings.algorithm,
    }],
    jwks: { keys: settings.keys },
    cookies: { keys: [settings.client_secret] },
    claims: { openid: ['sub'], profile: ['preferred_username', 'name', 'groups'], email: ['email', 'email_verified'] },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
    pkce: { required: () => true, methods: ['S256'] },
    features: { rpInitiatedLogout: { enabled: true }, devInteractions: { enabled: true } },
    ttl: { IdToken: 300 },
    // Whoever is not listed has a `sub` and nothing else.
    findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id, ...people.get(id) }) }),
  };
}

for (const [id, claims] of Object.entries(settings.people ?? {})) people.set(id, claims);

let handle;
const server = createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/tests') {
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => {
      const asked = JSON.parse(body);
      if ('clock' in asked) Date.now = () => clock() + asked.clock * 1000;
      if ('algorithm' in asked) settings.algorithm = asked.algorithm;
      if ('keys' in asked) settings.keys = asked.keys;
      if ('keys' in asked || 'algorithm' in asked) start();
      response.end('{}');
    });
    return;
  }
  handle(request, response);
});

function start() {
  const { port } = server.address();
  handle = new Provider(`http://127.0.0.1:${port}`, configuration(port)).callback();
}

server.listen(0, '127.0.0.1', () => {
  start();
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
