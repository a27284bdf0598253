// @globus/sdk on Node against the server.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { Browser } from '../lib/browser.mjs';
import { CALLBACK, Server, TRANSFER_ALL, workFolder } from '../lib/portolan.mjs';

let auth;
let server;
let alice;
let browser;
let deck;
let portal;

before(async () => {
  server = await new Server(workFolder('globus-sdk')).start();
  // The SDK reads the address from the environment when it is used.
  process.env.GLOBUS_SDK_SERVICE_URL_AUTH = server.url;
  ({ auth } = await import('@globus/sdk'));
  alice = await server.addUser('alice', 'Alice A', 'a@example.org');
  browser = new Browser(server.baseUrl, alice);
  deck = await server.createClient('Deck Console', 'public_installed_client', CALLBACK);
  portal = await server.createClient('Deck Portal', 'confidential_client', CALLBACK);
});

after(async () => {
  delete process.env.GLOBUS_SDK_SERVICE_URL_AUTH;
  await server?.stop();
});

// The authorization request as the SDK's own AuthorizationManager sends it from a web page.
async function login(scope) {
  const verifier = randomBytes(48).toString('base64url');
  const url = new URL('/v2/oauth2/authorize', server.url);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: deck.id,
    scope,
    redirect_uri: CALLBACK,
    state: 'abcdefgh12345678',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const back = await browser.authorize(url);
  assert.equal(back.searchParams.get('state'), 'abcdefgh12345678');
  const answer = await auth.oauth2.token.exchange({
    payload: {
      code: back.searchParams.get('code'),
      client_id: deck.id,
      code_verifier: verifier,
      redirect_uri: CALLBACK,
      grant_type: 'authorization_code',
    },
  });
  assert.equal(answer.status, 200);
  return answer.json();
}

const basic = () => `Basic ${Buffer.from(`${portal.id}:${portal.secret}`).toString('base64')}`;

test('the id token stands beside the token of auth.globus.org, wherever that token is', async () => {
  const tokens = await login(`${TRANSFER_ALL} openid profile email offline_access`);

  const all = [tokens, ...tokens.other_tokens];
  assert.deepEqual(all.map((token) => token.resource_server).sort(), ['auth.globus.org', 'transfer.api.globus.org']);
  const own = all.find((token) => token.resource_server === 'auth.globus.org');
  const claims = JSON.parse(Buffer.from(own.id_token.split('.')[1], 'base64url'));
  assert.equal(claims.sub, alice.id);
  for (const token of all) assert.ok(token.refresh_token, token.resource_server);
});

test('userinfo, refresh, revoke', async () => {
  const tokens = await login('openid profile email offline_access');
  const headers = { Authorization: `Bearer ${tokens.access_token}` };

  const person = await auth.oauth2.userinfo({ headers });
  assert.equal(person.status, 200);
  assert.equal((await person.json()).sub, alice.id);

  const refreshed = await auth.oauth2.token.refresh({
    payload: { client_id: deck.id, refresh_token: tokens.refresh_token, grant_type: 'refresh_token' },
  });
  assert.equal(refreshed.status, 200);
  const renewed = await refreshed.json();
  assert.notEqual(renewed.access_token, tokens.access_token);
  assert.deepEqual(renewed.other_tokens, []);

  const revoked = await auth.oauth2.token.revoke({ payload: { client_id: deck.id, token: tokens.access_token } });
  assert.equal(revoked.status, 200);
  assert.deepEqual(await revoked.json(), { active: false });
  const refused = await auth.oauth2.userinfo({ headers });
  assert.equal(refused.status, 401);
  assert.equal((await refused.json()).errors[0].code, 'UNAUTHORIZED');
});

test('introspect with the credentials of the client', async () => {
  const granted = await fetch(new URL('/v2/oauth2/token', server.url), {
    method: 'POST',
    headers: { authorization: basic() },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'openid' }),
  });
  const { access_token: token } = await granted.json();

  const answer = await auth.oauth2.token.introspect({
    payload: { token, include: 'identity_set,session_info' },
    headers: { Authorization: basic() },
  });
  assert.equal(answer.status, 200);
  const state = await answer.json();
  assert.equal(state.active, true);
  assert.equal(state.sub, portal.id);
  assert.deepEqual(state.identity_set, [portal.id]);
  assert.deepEqual(state.session_info, { session_id: null, authentications: {} });

  await auth.oauth2.token.revoke({ payload: { token }, headers: { Authorization: basic() } });
  const after = await auth.oauth2.token.introspect({ payload: { token }, headers: { Authorization: basic() } });
  assert.deepEqual(await after.json(), { active: false });
});
