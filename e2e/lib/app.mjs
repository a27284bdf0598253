// A portal on this machine that people sign in to: a confidential client of a server, with PKCE, `state` and `nonce`.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

function readClaims(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString('utf8'));
}

export class App {
  // The client is made with its redirect URI.
  async open(server, name) {
    this.server = server;
    this.listener = createServer((request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><html lang="en"><title>Portal</title><h1>Arrived</h1>');
    });
    await new Promise((resolve) => this.listener.listen(0, '127.0.0.1', resolve));
    this.redirectUri = `http://127.0.0.1:${this.listener.address().port}/callback`;
    this.client = await server.createClient(name, 'confidential_client', this.redirectUri);
    return this;
  }

  close() {
    this.listener?.close();
    this.listener?.closeAllConnections();
  }

  // Where a person is sent to. Each call is a login of its own; `redeem` ends the newest.
  authorizeUrl(scope, more = {}) {
    const random = () => randomBytes(32).toString('base64url');
    this.login = { verifier: random(), state: random(), nonce: random() };
    const url = new URL('/v2/oauth2/authorize', this.server.url);
    url.search = new URLSearchParams({
      client_id: this.client.id,
      redirect_uri: this.redirectUri,
      response_type: 'code',
      scope,
      state: this.login.state,
      nonce: this.login.nonce,
      code_challenge: createHash('sha256').update(this.login.verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...more,
    });
    return url.href;
  }

  // Waits until the browser is back, and says with what.
  async answer(page) {
    await page.waitForURL((url) => url.href.startsWith(this.redirectUri)).catch(async (error) => {
      throw new Error(`${error.message} The browser is at ${page.url()}: ${await page.locator('body').innerText()}`);
    });
    const answer = new URL(page.url()).searchParams;
    assert.equal(answer.get('state'), this.login.state);
    assert.equal(answer.get('iss'), this.server.url);
    return answer;
  }

  // The tokens for the code that the browser has brought, with the claims of the ID token.
  async redeem(page) {
    const answer = await this.answer(page);
    const code = answer.get('code');
    assert.ok(code, `the browser came back with ${answer}`);
    const tokens = await this.#post('/v2/oauth2/token', {
      grant_type: 'authorization_code',
      code,
      redirect_uri: this.redirectUri,
      code_verifier: this.login.verifier,
    });
    const claims = readClaims(tokens.id_token);
    assert.equal(claims.nonce, this.login.nonce);
    return { ...tokens, claims };
  }

  introspect(tokens, include = 'identity_set,session_info') {
    return this.#post('/v2/oauth2/token/introspect', { token: tokens.access_token, include });
  }

  async userinfo(tokens) {
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    const answer = await fetch(new URL('/v2/oauth2/userinfo', this.server.url), { headers });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return JSON.parse(text);
  }

  async #post(path, fields) {
    const basic = Buffer.from(`${this.client.id}:${this.client.secret}`).toString('base64');
    const answer = await fetch(new URL(path, this.server.url), {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams(fields),
    });
    const text = await answer.text();
    assert.equal(answer.status, 200, `${path}: ${text}`);
    return JSON.parse(text);
  }
}
