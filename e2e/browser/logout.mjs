// Logout between this server and a relying party that is somebody else's: Apache with mod_auth_openidc learns by a
// logout token that a session has ended, and sends people here to log out.

import assert from 'node:assert/strict';

import { check, suite } from '../lib/checks.mjs';
import { Server, workFolder } from '../lib/portolan.mjs';
import { Apache, SESSION_COOKIE } from './apache.mjs';
import { decide, heading, launch, signIn } from './chromium.mjs';

const STATE = 'the way I came/42?';

const directory = workFolder('logout');
const server = new Server(directory, { outgoing_allow: '["127.0.0.0/8"]', limits_logins_per_minute: '1000' });
const apache = new Apache();
let browser;

async function registerApache() {
  const { client } = await server.command([
    'client', 'create', '--name', 'Chart Archive', '--type', 'confidential_client',
    '--redirect-uri', apache.redirectUri, '--backchannel-logout-uri', apache.backchannelLogoutUri,
    '--post-logout-redirect-uri', apache.goodbye,
  ]);
  const { credential } = await server.command(['client', 'secret', 'create', client.id, '--name', 'apache']);
  return { id: client.id, secret: credential.secret };
}

// A browser in which the person has signed in at Apache; with the cookie that Apache knows them by.
async function arrive(person, { first = false } = {}) {
  const context = await browser.newContext();
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  await page.goto(apache.private);
  await page.waitForURL((url) => url.origin === server.url && url.pathname === '/p/login');
  await signIn(page, person);
  if (first) {
    await page.waitForURL((url) => url.origin === server.url && url.pathname === '/p/consent');
    await decide(page, 'allow');
  }
  await page.getByRole('heading', { name: 'The private chart' }).waitFor();
  const cookies = await context.cookies(apache.url);
  const cookie = cookies.find(({ name }) => name === SESSION_COOKIE).value;
  assert.equal(await apache.personOf(cookie), person.username);
  return { context, page, cookie };
}

async function gone(cookie, seconds = 15) {
  const deadline = Date.now() + seconds * 1000;
  while (Date.now() < deadline) {
    if ((await apache.personOf(cookie)) === null) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the session is still there after ${seconds} s\n${server.output.slice(-5).join('\n')}\n${apache.said().slice(-4000)}`);
}

async function asksAgain(page) {
  await page.goto(apache.private);
  await page.waitForURL((url) => url.origin === server.url && url.pathname === '/p/login');
  assert.equal(await page.locator('input[name=password]').count(), 1);
}

async function backChannel(people) {
  await check('back-channel: a logout here ends the session at Apache, which only its server was told', async () => {
    const { context, page, cookie } = await arrive(people.alice, { first: true });
    await page.goto(`${server.url}/v2/web/logout`);
    assert.match(await heading(page), /signed out|logged out/i);
    await gone(cookie);
    await asksAgain(page);
    await context.close();
  });

  await check('back-channel: the operator ends one session, and the other browser stays signed in', async () => {
    const one = await arrive(people.alice);
    const { sessions } = await server.command(['session', 'list', '--user', 'alice']);
    const [{ id }] = sessions.filter((session) => session.signed_in);
    const two = await arrive(people.alice);
    await server.command(['session', 'end', '--user', 'alice', id, '--yes']);
    await gone(one.cookie);
    assert.equal(await apache.personOf(two.cookie), people.alice.username);
    await asksAgain(one.page);

    await server.command(['session', 'end', '--user', 'alice', '--yes']);
    await gone(two.cookie);
    await asksAgain(two.page);
    await one.context.close();
    await two.context.close();
  });

  await check('back-channel: somebody else stays signed in, and Apache takes no forged logout token', async () => {
    const { context, cookie } = await arrive(people.bob, { first: true });
    const alice = await arrive(people.alice);
    await server.command(['session', 'end', '--user', 'alice', '--yes']);
    await gone(alice.cookie);
    assert.equal(await apache.personOf(cookie), people.bob.username);

    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
    const claims = { iss: server.url, aud: apache.client.id, iat: now, exp: now + 120, jti: 'x', events, sub: people.bob.id };
    const forged = `${part({ alg: 'none', typ: 'logout+jwt' })}.${part(claims)}.`;
    const answer = await fetch(apache.backchannelLogoutUri, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: forged }),
    });
    assert.equal(answer.status, 400);
    assert.equal(await apache.personOf(cookie), people.bob.username);
    await context.close();
    await alice.context.close();
  });

  await check('back-channel: a server that is away is told when it is back, and the browser does not wait for it', async () => {
    const { context, page, cookie } = await arrive(people.alice);
    await apache.stop();
    await page.goto(`${server.url}/v2/web/logout`);
    assert.match(await heading(page), /signed out|logged out/i);
    await server.line(/a logout token was not taken; trying again later/);
    await apache.start();
    assert.equal(await apache.personOf(cookie), people.alice.username);
    await gone(cookie, 30);
    await context.close();
  });
}

async function fromApache(people) {
  await check('RP-initiated: Apache sends the person here, and they return to the registered address', async () => {
    const { context, page, cookie } = await arrive(people.alice);
    const asked = page.waitForRequest((request) => request.url().startsWith(`${server.url}/v2/web/logout?`));
    await page.goto(apache.logoutUrl(apache.goodbye));
    const query = new URL((await asked).url()).searchParams;
    assert.equal(query.get('post_logout_redirect_uri'), apache.goodbye);
    await page.waitForURL((url) => url.href.startsWith(apache.goodbye));
    assert.equal(await heading(page), 'Goodbye');
    assert.equal(await apache.personOf(cookie), null);

    // The same request with `state`, which this version of the module does not send. Nobody is signed in any more.
    await page.goto(`${server.url}/v2/web/logout?${query}&state=${encodeURIComponent(STATE)}`);
    await page.waitForURL((url) => url.href.startsWith(apache.goodbye));
    assert.equal(new URL(page.url()).searchParams.get('state'), STATE);
    await asksAgain(page);
    await context.close();
  });

  await check('RP-initiated: an address that is not registered is not gone to; the person is asked', async () => {
    const { context, page } = await arrive(people.alice);
    await page.goto(apache.logoutUrl(`${apache.url}/elsewhere.html`));
    await page.waitForURL((url) => url.origin === server.url && url.pathname === '/v2/web/logout');
    assert.match(await heading(page), /out\?/);
    await page.click('main form button[type=submit]');
    await page.getByRole('heading', { name: /signed out|logged out/i }).waitFor();
    await asksAgain(page);
    await context.close();
  });

  await check('RP-initiated: without JavaScript the way is the same', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(apache.private);
    await signIn(page, people.alice);
    await page.getByRole('heading', { name: 'The private chart' }).waitFor();
    await page.goto(apache.logoutUrl(apache.goodbye));
    assert.equal(await heading(page), 'Goodbye');
    await asksAgain(page);
    await context.close();
  });
}

async function main() {
  browser = await launch();
  try {
    await Promise.all([server.start(), apache.prepare(directory)]);
    apache.client = await registerApache();
    apache.configure(server.url, apache.client);
    await apache.start();
    const people = {
      alice: await server.addUser('alice', 'Alice A', 'a@example.org'),
      bob: await server.addUser('bob', 'Bob B', 'b@example.org'),
    };
    await backChannel(people);
    await fromApache(people);
  } finally {
    await browser.close();
    await apache.remove();
    await server.stop();
  }
}

await suite(main);
