// openid-client 6, an ordinary OpenID Connect client, from the discovery document alone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as oidc from 'openid-client';

import { Browser } from '../lib/browser.mjs';
import { CALLBACK, Server, workFolder } from '../lib/portolan.mjs';

const SCOPE = 'openid profile email offline_access';

let server;
let alice;
let browser;
let portal;

before(async () => {
  server = await new Server(workFolder('openid-client')).start();
  alice = await server.addUser('alice', 'Alice A', 'a@example.org');
  browser = new Browser(server.baseUrl, alice);
  portal = await server.createClient('Node Portal', 'confidential_client', CALLBACK);
});

after(async () => {
  await server?.stop();
});

// openid-client refuses plain http unless told otherwise; nothing else is eased.
function discover(client, authentication) {
  return oidc.discovery(new URL(server.url), client.id, undefined, authentication, {
    execute: [oidc.allowInsecureRequests],
  });
}

async function login(config, person = browser) {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: SCOPE,
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const back = await person.authorize(url);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  return { back, checks, tokens: await oidc.authorizationCodeGrant(config, back, checks) };
}

async function wholeRound(config, client) {
  const metadata = config.serverMetadata();
  assert.equal(metadata.issuer, server.url);
  assert.equal(metadata.authorization_response_iss_parameter_supported, true);

  const { back, tokens } = await login(config);
  assert.equal(back.searchParams.get('iss'), server.url);
  const claims = tokens.claims();
  assert.equal(claims.sub, alice.id);
  assert.equal(claims.aud, client.id);
  assert.equal(claims.email, alice.email);
  assert.equal(tokens.token_type.toLowerCase(), 'bearer');
  assert.equal(tokens.scope.split(' ').includes('offline_access'), false);

  const person = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
  assert.equal(person.preferred_username, alice.username);
  assert.equal(person.name, alice.name);

  const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(renewed.access_token, tokens.access_token);
  assert.ok(renewed.refresh_token);
  return { tokens, renewed };
}

for (const [name, authentication] of [
  ['client_secret_basic', () => oidc.ClientSecretBasic(portal.secret)],
  ['client_secret_post', () => oidc.ClientSecretPost(portal.secret)],
]) {
  test(`a confidential client with ${name} goes the whole round`, async () => {
    const config = await discover(portal, authentication());

    const { tokens, renewed } = await wholeRound(config, portal);

    const active = await oidc.tokenIntrospection(config, renewed.access_token);
    assert.equal(active.active, true);
    assert.equal(active.sub, alice.id);
    assert.equal(active.client_id, portal.id);
    await oidc.tokenRevocation(config, renewed.refresh_token);
    for (const token of [tokens.access_token, renewed.access_token]) {
      assert.deepEqual(await oidc.tokenIntrospection(config, token), { active: false });
    }
    await assert.rejects(oidc.refreshTokenGrant(config, renewed.refresh_token), {
      error: 'invalid_grant',
      status: 400,
    });
  });
}

test('a secret with + / = passes both when percent-encoded and when not', async () => {
  // Secrets are random: enough of them are made that one has a character which the two encodings write differently.
  let secret = portal.secret;
  for (let tries = 0; !/[+/]/.test(secret) && tries < 40; tries += 1) {
    const { credential } = await server.command(['client', 'secret', 'create', portal.id, '--name', `spare ${tries}`]);
    secret = credential.secret;
  }
  assert.match(secret, /^(?=.*[+/])[A-Za-z0-9+/]{43}=$/);

  const encoded = await discover(portal, oidc.ClientSecretBasic(secret));
  const tokens = await oidc.clientCredentialsGrant(encoded, { scope: 'openid' });
  assert.equal(tokens.claims().sub, portal.id);

  const raw = Buffer.from(`${portal.id}:${secret}`).toString('base64');
  const answer = await fetch(encoded.serverMetadata().token_endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${raw}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'openid' }),
  });
  assert.equal(answer.status, 200);
});

test('a public client goes the whole round with PKCE alone', async () => {
  const client = await server.createClient('Node Console', 'public_installed_client', CALLBACK);
  const config = await discover(client, oidc.None());

  const { renewed } = await wholeRound(config, client);

  await oidc.tokenRevocation(config, renewed.refresh_token);
  await assert.rejects(oidc.refreshTokenGrant(config, renewed.refresh_token), { error: 'invalid_grant' });
  await assert.rejects(oidc.fetchUserInfo(config, renewed.access_token, alice.id), (error) => error.status === 401);
});

test('an answer that names another issuer is refused by the client', async () => {
  const config = await discover(portal, oidc.ClientSecretBasic(portal.secret));
  const verifier = oidc.randomPKCECodeVerifier();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid',
    state: 'mixed-up',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const back = await browser.authorize(url);
  const forged = new URL(back);
  forged.searchParams.set('iss', 'https://elsewhere.example.org');

  const checks = { pkceCodeVerifier: verifier, expectedState: 'mixed-up' };
  await assert.rejects(oidc.authorizationCodeGrant(config, forged, checks), ({ cause }) => /"iss"/.test(cause.message));
  const tokens = await oidc.authorizationCodeGrant(config, back, checks);
  assert.equal(tokens.claims().sub, alice.id);
});

test('a code is worth one exchange, and its replay ends what it gave', async () => {
  const config = await discover(portal, oidc.ClientSecretBasic(portal.secret));
  const { back, checks, tokens } = await login(config);
  assert.equal((await oidc.tokenIntrospection(config, tokens.access_token)).active, true);

  await assert.rejects(oidc.authorizationCodeGrant(config, back, checks), { error: 'invalid_grant', status: 400 });

  assert.deepEqual(await oidc.tokenIntrospection(config, tokens.access_token), { active: false });
});

test('a denied consent comes back as an error', async () => {
  const client = await server.createClient('Node Denied', 'confidential_client', CALLBACK);
  const config = await discover(client, oidc.ClientSecretBasic(client.secret));
  const url = oidc.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: 'openid', state: 'no' });

  const back = await browser.authorize(url, 'deny');

  await assert.rejects(oidc.authorizationCodeGrant(config, back, { expectedState: 'no' }), { error: 'access_denied' });
});
