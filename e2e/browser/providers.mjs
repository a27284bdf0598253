// Signing in through two identity providers that are somebody else's servers: npm oidc-provider and a second Portolan.
// Identities are made, found again, linked, unlinked; providers go away, change their keys, and are asked what an app
// asks; in Chromium, with JavaScript and without.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { App } from '../lib/app.mjs';
import { check, suite } from '../lib/checks.mjs';
import { freePort } from '../lib/ports.mjs';
import { Server, workFolder } from '../lib/portolan.mjs';
import { decide, heading, launch, signIn } from './chromium.mjs';
import { College, MFA, signInAtCollege } from './college.mjs';

const SCOPES = 'openid profile email urn:globus:auth:scope:auth.globus.org:view_identity_set';
const LAB = 'Harbour Laboratory';
// Both providers are on this machine, and everybody comes from one address.
const SETTINGS = { outgoing_allow: '["127.0.0.0/8", "::1/128"]', limits_logins_per_minute: '1000' };

const directory = workFolder('providers');
const folder = (name) => {
  const path = join(directory, name);
  mkdirSync(path);
  return path;
};
const server = new Server(folder('server'), { ...SETTINGS });
const lab = new Server(folder('laboratory'), { local_domain: 'lab.example', limits_logins_per_minute: '1000' });
const college = new College();
let browser;

async function open(options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(15_000);
  return { context, page: await context.newPage() };
}

// Registers the server there, and the provider here; its id is chosen first, because it is in the redirect URI.
async function addProvider(shortName, name, domain, registerThere, ...more) {
  const id = randomUUID();
  const { issuer, clientId, secret } = await registerThere(`${server.url}/p/callback/${id}`);
  const file = join(directory, `${shortName}.secret`);
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  await server.command([
    'idp', 'add', '--id', id, '--issuer', issuer, '--name', name, '--short-name', shortName, '--domain', domain,
    '--client-id', clientId, '--client-secret-file', file, ...more,
  ]);
}

const choose = (page, name) => page.getByRole('link', { name: new RegExp(name) }).click();

// From the login page to the college and back. The first time the college asks whether it may tell.
async function throughCollege(page, person, { first = false, second = false } = {}) {
  await choose(page, college.name);
  await signInAtCollege(page, person, { second });
  if (first) await page.click('form[data-prompt=consent] button');
}

async function throughLab(page, person, { first = false } = {}) {
  await choose(page, LAB);
  await page.waitForURL((url) => url.origin === lab.url && url.pathname === '/p/login');
  await signIn(page, person);
  if (!first) return;
  await page.waitForURL((url) => url.origin === lab.url && url.pathname === '/p/consent');
  await decide(page, 'allow');
}

async function allow(page) {
  await page.waitForURL((url) => url.origin === server.url && url.pathname === '/p/consent');
  await decide(page, 'allow');
}

async function offered(page) {
  const names = await page.locator('.provider-list a span').allInnerTexts();
  return names.sort();
}

// The reason that the audit trail gives for the newest refusal.
async function lastRefusal() {
  const { events } = await server.command(['audit', '--action', 'login.refused', '--limit', '1']);
  return events[0].detail.reason;
}

async function firstLogins(app, people) {
  const found = {};
  for (const [name, through, person] of [
    ['oidc-provider', throughCollege, people.atCollege],
    ['a second Portolan', throughLab, people.atLab],
  ]) {
    const { context, page } = await open();
    await check(`providers: through ${name} a person gets an identity at the first login`, async () => {
      await page.goto(app.authorizeUrl(SCOPES));
      await through(page, person, { first: true });
      await allow(page);
      const tokens = await app.redeem(page);
      const username = name === 'oidc-provider' ? 'ada@college.example' : 'ada@lab.example';
      assert.equal(tokens.claims.preferred_username, username);
      assert.equal(tokens.claims.name, person.name);
      const told = await app.introspect(tokens);
      assert.deepEqual(told.identity_set, [tokens.claims.sub]);
      found[name] = tokens.claims;
    });
    await context.close();
    await check(`providers: through ${name} the second login is of the same identity`, async () => {
      const again = await open();
      await again.page.goto(app.authorizeUrl(SCOPES));
      await through(again.page, person);
      const { claims } = await app.redeem(again.page);
      assert.equal(claims.sub, found[name].sub);
      await again.context.close();
    });
  }
  return { college: found['oidc-provider'], lab: found['a second Portolan'], keysAskedAt: Date.now() };
}

async function withoutScript(app, people, known) {
  for (const [name, through, person, expected] of [
    ['oidc-provider', throughCollege, people.atCollege, known.college],
    ['a second Portolan', throughLab, people.atLab, known.lab],
  ]) {
    await check(`providers: without JavaScript the way through ${name} is the same`, async () => {
      const { context, page } = await open({ javaScriptEnabled: false });
      await page.goto(app.authorizeUrl(SCOPES));
      await through(page, person);
      const { claims } = await app.redeem(page);
      assert.equal(claims.sub, expected.sub);
      await context.close();
    });
  }
}

// What was asked of this server is asked of the provider, and its answer is what the app learns.
async function demands(app, people) {
  const { context, page } = await open();
  await page.goto(app.authorizeUrl(SCOPES));
  await throughCollege(page, people.atCollege);
  const before = (await app.redeem(page)).claims.auth_time;

  await check('providers: prompt=login is sent on, and the person signs in there anew', async () => {
    const began = Math.floor(Date.now() / 1000);
    await page.goto(app.authorizeUrl(SCOPES, { prompt: 'login' }));
    await throughCollege(page, people.atCollege);
    const { claims } = await app.redeem(page);
    const asked = college.asked.findLast((query) => query.has('client_id'));
    assert.equal(asked.get('prompt'), 'login');
    assert.equal(asked.get('max_age'), '0');
    assert.ok(claims.auth_time >= began && claims.auth_time >= before, `${claims.auth_time} is before ${began}`);
  });
  await check('providers: max_age is sent on, and a login that is new enough asks nobody', async () => {
    const questions = college.asked.length;
    await page.goto(app.authorizeUrl(SCOPES, { max_age: '3600' }));
    const { claims } = await app.redeem(page);
    assert.equal(college.asked.length, questions);
    // `max_age` counts whole seconds.
    while (Date.now() / 1000 < claims.auth_time + 3) await new Promise((resolve) => setTimeout(resolve, 100));
    await page.goto(app.authorizeUrl(SCOPES, { max_age: '2' }));
    await throughCollege(page, people.atCollege);
    const newer = (await app.redeem(page)).claims.auth_time;
    assert.equal(college.asked.findLast((query) => query.has('client_id')).get('max_age'), '2');
    assert.ok(newer > claims.auth_time, `auth_time stayed ${newer}`);
  });
  await check('providers: two factors are asked of a trusted provider, and told truly', async () => {
    const other = await open();
    await other.page.goto(app.authorizeUrl(SCOPES, { session_required_mfa: 'true' }));
    await throughCollege(other.page, people.atCollege, { second: true });
    const { claims } = await app.redeem(other.page);
    await other.context.close();
    assert.equal(college.asked.findLast((query) => query.has('client_id')).get('acr_values'), MFA);
    assert.equal(claims.acr, MFA);
    assert.ok(claims.amr.includes('mfa'), `amr is ${claims.amr}`);
  });
  await check('providers: after logout the app asks for a login, and the provider is suggested', async () => {
    await page.goto(`${server.url}/v2/web/logout`);
    await page.goto(app.authorizeUrl(SCOPES));
    assert.equal(await page.locator('input[name=password]').count(), 1);
    const first = page.locator('.providers .provider-list').first().locator('a');
    assert.match(await first.first().innerText(), new RegExp(college.name));
    // The person is still signed in there, so it does not ask: the app learns when that was.
    const then = Math.floor(Date.now() / 1000);
    await choose(page, college.name);
    const { claims } = await app.redeem(page);
    assert.ok(claims.auth_time <= then, 'auth_time is that of the answer, not that of the login');
  });
  await context.close();
}

async function narrowing(app, bound, people, known) {
  await check('providers: a domain that the app requires leaves its provider alone on the page', async () => {
    const { context, page } = await open();
    await page.goto(app.authorizeUrl(SCOPES));
    assert.deepEqual(await offered(page), [college.name, LAB]);
    await page.goto(app.authorizeUrl(SCOPES, { session_required_single_domain: 'college.example' }));
    assert.deepEqual(await offered(page), [college.name]);
    await page.goto(app.authorizeUrl(SCOPES, { session_required_single_domain: 'lab.example' }));
    assert.deepEqual(await offered(page), [LAB]);
    await throughLab(page, people.atLab);
    const { claims } = await app.redeem(page);
    assert.equal(claims.sub, known.lab.sub);
    await context.close();
  });
  await check('providers: a person without the required provider links an account of it on the way', async () => {
    const { context, page } = await open();
    await page.goto(bound.authorizeUrl(SCOPES));
    assert.deepEqual(await offered(page), [LAB]);
    await signIn(page, people.bob);
    await page.getByRole('heading', { name: 'Link another account' }).waitFor();
    assert.match(await page.locator('main').innerText(), new RegExp(`needs an account of ${LAB}`));
    await decide(page, 'begin');
    assert.deepEqual(await offered(page), [LAB]);
    await throughLab(page, people.benAtLab, { first: true });
    await page.getByRole('heading', { name: 'Link these accounts?' }).waitFor();
    await decide(page, 'link');
    await allow(page);
    const tokens = await bound.redeem(page);
    assert.equal(tokens.claims.preferred_username, 'ben@lab.example');
    const { identity_set: set } = await bound.introspect(tokens);
    assert.deepEqual([...set].sort(), [people.bob.id, tokens.claims.sub].sort());

    // Once more, where everything but the link is there already: the form of the link leads to the app.
    await unlink(page, 'ben@lab.example');
    await page.goto(bound.authorizeUrl(SCOPES));
    await decide(page, 'begin');
    await throughLab(page, people.benAtLab);
    await decide(page, 'link');
    assert.equal((await bound.redeem(page)).claims.sub, tokens.claims.sub);
    await context.close();
  });
}

// Signed in as `person`, who proves another account at a provider and says that it is to be linked.
async function link(page, through, other) {
  await page.goto(`${server.url}/p/link`);
  await decide(page, 'begin');
  await page.getByRole('heading', { name: 'Sign in with the other account' }).waitFor();
  await through(page, other);
  await page.waitForURL((url) => url.origin === server.url && url.pathname.startsWith('/p/link'));
}

async function unlink(page, username) {
  await page.goto(`${server.url}/v2/web/identities`);
  await page.getByRole('link', { name: `Unlink… ${username}` }).click();
  await page.getByRole('heading', { name: 'Unlink this account?' }).waitFor();
  await page.click('main form button[type=submit]');
  await page.waitForURL(/[?&]notice=unlinked/);
}

async function linking(app, bound, people, known) {
  const { context, page } = await open();
  const usernames = { college: 'ada@college.example', lab: 'ada@lab.example' };
  const all = [people.alice.id, known.college.sub, known.lab.sub].sort();
  await page.goto(`${server.url}/v2/web/identities`);
  await signIn(page, people.alice);
  await page.getByRole('heading', { name: 'Your accounts' }).waitFor();

  for (const [name, through, other] of [
    ['college', throughCollege, people.atCollege],
    ['lab', throughLab, people.atLab],
  ]) {
    await check(`linking: the account of the ${name} joins a local one after both were proven`, async () => {
      await link(page, through, other);
      assert.equal(await heading(page), 'Link these accounts?');
      const text = await page.locator('main').innerText();
      assert.ok(text.includes(people.alice.username) && text.includes(usernames[name]), text);
      // Whoever sits there shows who they are now, whatever session the provider has.
      const asked = college.asked.findLast((query) => query.has('client_id'));
      if (name === 'college') assert.equal(asked.get('prompt'), 'login');
      await decide(page, 'link');
      await page.waitForURL(/[?&]notice=linked/);
    });
  }
  await check('linking: introspection and userinfo tell the whole set', async () => {
    const tokens = await reissue(app, page);
    assert.equal(tokens.claims.sub, people.alice.id);
    const { identity_set: told, session_info: session } = await app.introspect(tokens);
    assert.deepEqual([...told].sort(), all);
    // All three were proven in this browser.
    assert.deepEqual(Object.keys(session.authentications).sort(), all);
    const { identity_set: set } = await app.userinfo(tokens);
    assert.deepEqual(set.map(({ sub }) => sub).sort(), all);
  });
  await check('linking: an account that is linked elsewhere is a conflict, and the page says what to do', async () => {
    const other = await open();
    await other.page.goto(`${server.url}/p/link`);
    await signIn(other.page, people.carol);
    await decide(other.page, 'begin');
    const answered = other.page.waitForResponse((response) => response.status() === 409);
    await throughCollege(other.page, people.atCollege);
    await answered;
    assert.equal(await heading(other.page), 'These accounts cannot be linked');
    const text = await other.page.locator('main').innerText();
    assert.match(text, /is linked with other accounts already/);
    assert.match(text, /log out, sign in with ada@college\.example, unlink it/);
    await other.page.goto(`${server.url}/v2/web/identities`);
    const list = await other.page.locator('main').innerText();
    assert.ok(list.includes(people.carol.username) && !list.includes('ada@'), list);
    await other.context.close();
  });
  await check('linking: the primary is chosen, and apps know the person by it whichever way they sign in', async () => {
    await page.goto(`${server.url}/v2/web/identities`);
    await page.getByRole('link', { name: 'Make primary… ada@college.example' }).click();
    await page.click('main form button[type=submit]');
    await page.waitForURL(/[?&]notice=primary/);
    const other = await open();
    await other.page.goto(app.authorizeUrl(SCOPES));
    await throughLab(other.page, people.atLab);
    const { claims } = await app.redeem(other.page);
    assert.equal(claims.sub, known.college.sub);
    await other.context.close();
  });
  await check('linking: an app that requires a provider gets its identity; unlinking ends what it got', async () => {
    await page.goto(bound.authorizeUrl(SCOPES));
    await allow(page);
    const tokens = await bound.redeem(page);
    assert.equal(tokens.claims.sub, known.lab.sub);
    assert.equal((await bound.introspect(tokens)).active, true);

    await unlink(page, 'ada@lab.example');
    assert.deepEqual(await bound.introspect(tokens), { active: false });

    const alone = await open();
    await alone.page.goto(app.authorizeUrl(SCOPES));
    await throughLab(alone.page, people.atLab);
    const own = await app.redeem(alone.page);
    assert.equal(own.claims.sub, known.lab.sub);
    assert.deepEqual((await app.introspect(own)).identity_set, [known.lab.sub]);
    await alone.context.close();
    const rest = await app.introspect(await reissue(app, page));
    assert.deepEqual([...rest.identity_set].sort(), [people.alice.id, known.college.sub].sort());
  });
  await context.close();
}

// Tokens for whoever is signed in already and has allowed it.
async function reissue(app, page) {
  await page.goto(app.authorizeUrl(SCOPES));
  return app.redeem(page);
}

// Keys change from one login to the next. A server asks for keys that it does not know at most every ten seconds.
async function rotation(app, people, known) {
  await new Promise((resolve) => setTimeout(resolve, known.keysAskedAt + 10_500 - Date.now()));
  await check('providers: new keys of oidc-provider are followed', async () => {
    college.rotateKeys();
    const { context, page } = await open();
    await page.goto(app.authorizeUrl(SCOPES));
    await throughCollege(page, people.atCollege);
    const { claims } = await app.redeem(page);
    assert.equal(claims.sub, known.college.sub);
    await context.close();
  });
  await check('providers: a second Portolan that was away and comes back with new keys is followed', async () => {
    await lab.pause();
    await lab.command(['keys', 'rotate', '--compromised']);
    await lab.start();
    const { context, page } = await open();
    await page.goto(app.authorizeUrl(SCOPES));
    await throughLab(page, people.atLab);
    const { claims } = await app.redeem(page);
    assert.equal(claims.sub, known.lab.sub);
    await context.close();
  });
}

// Before it was ever there, nothing is known about the college.
async function notThereYet(app, people) {
  const { context, page } = await open();
  await check('outage: a provider that cannot be reached is told on a page with a way back', async () => {
    await page.goto(app.authorizeUrl(SCOPES));
    const answered = page.waitForResponse((response) => response.url().includes('/p/login/with/'));
    await choose(page, college.name);
    assert.equal((await answered).status(), 503);
    assert.match(await heading(page), new RegExp(college.name));
    assert.match(await page.locator('main').innerText(), /cannot be reached[\s\S]*Other ways to sign in are not affected/);
    assert.equal(await lastRefusal(), 'discovery_unreachable');
  });
  await check('outage: the way back leads to the same login, and a password is enough', async () => {
    await page.getByRole('link', { name: 'Choose how to sign in' }).click();
    await signIn(page, people.alice);
    await allow(page);
    const { claims } = await app.redeem(page);
    assert.equal(claims.sub, people.alice.id);
  });
  await context.close();
}

async function goneOnTheWay(app, people, known) {
  const { context, page } = await open();
  await check('outage: a provider that goes away in the middle of a login is told on a page', async () => {
    college.leavesAfterCode = true;
    await page.goto(app.authorizeUrl(SCOPES));
    await throughCollege(page, people.atCollege);
    await page.waitForURL((url) => url.origin === server.url && url.pathname.startsWith('/p/callback/'));
    assert.match(await heading(page), new RegExp(college.name));
    assert.match(await page.locator('main').innerText(), /did not confirm your sign-in in time/);
    assert.equal(await lastRefusal(), 'token_unreachable');
  });
  await check('outage: the other provider signs the person in meanwhile', async () => {
    await page.getByRole('link', { name: 'Choose how to sign in' }).click();
    await throughLab(page, people.atLab);
    const { claims } = await app.redeem(page);
    assert.equal(claims.sub, known.lab.sub);
  });
  await context.close();
  await check('outage: when the provider is back, so is the way through it', async () => {
    college.leavesAfterCode = false;
    await college.stop();
    await college.start();
    const again = await open();
    await again.page.goto(app.authorizeUrl(SCOPES));
    await throughCollege(again.page, people.atCollege);
    const { claims } = await app.redeem(again.page);
    assert.equal(claims.sub, known.college.sub);
    await again.context.close();
  });
}

async function main() {
  const app = new App();
  const bound = new App();
  browser = await launch();
  try {
    lab.port = await freePort();
    await Promise.all([server.start(), lab.start(), college.choosePort()]);
    await addProvider('college', college.name, 'college.example', (redirectUri) => {
      const { client_id: clientId, client_secret: secret } = college.register(redirectUri);
      return { issuer: college.issuer, clientId, secret };
    }, '--trust-mfa');
    await addProvider('lab', LAB, 'lab.example', async (redirectUri) => {
      const client = await lab.createClient('Portolan', 'confidential_client', redirectUri);
      return { issuer: lab.url, clientId: client.id, secret: client.secret };
    });
    await app.open(server, 'Beamline Portal');
    await bound.open(server, 'Laboratory Portal');
    await server.command(['client', 'update', bound.client.id, '--required-idp', 'lab']);
    const people = {
      alice: await server.addUser('alice', 'Alice A', 'a@example.org'),
      bob: await server.addUser('bob', 'Bob B', 'b@example.org'),
      carol: await server.addUser('carol', 'Carol C', 'c@example.org'),
      atCollege: college.addPerson('ada', 'Ada Astrolabe'),
      atLab: await lab.addUser('ada', 'Ada A. Astrolabe', 'ada@lab.example'),
      benAtLab: await lab.addUser('ben', 'Ben Bearing', 'ben@lab.example'),
    };
    await notThereYet(app, people);
    await college.start();
    const known = await firstLogins(app, people);
    await withoutScript(app, people, known);
    await demands(app, people);
    await narrowing(app, bound, people, known);
    await linking(app, bound, people, known);
    await rotation(app, people, known);
    await goneOnTheWay(app, people, known);
  } finally {
    await browser.close();
    app.close();
    bound.close();
    await college.stop();
    await Promise.all([server.stop(), lab.stop()]);
  }
}

await suite(main);
