// Every form of the server in the second language, driven by somebody who uses the keyboard alone, without script, on a
// narrow dark screen. Each page on the way is looked at: nothing is cut off, nothing is dead, and no sentence is English.
// At the end every form that was seen has been sent, so that a new form cannot be forgotten here.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';

import { Mailbox } from '../lib/mailbox.mjs';
import { CALLBACK, Server, TRANSFER_ALL, workFolder } from '../lib/portolan.mjs';
import { inWholeBrowser, launch, standInFor, tabTo } from './chromium.mjs';
import { english, structure, unreadable, violations, withoutScript } from './eyes.mjs';
import { developers, operators } from './german-areas.mjs';
import { LOCK, oneTimeCode, plugIn } from './passkeys.mjs';

const NARROW = { width: 320, height: 640 };
const WIDE = { width: 1280, height: 900 };
const MAIN = 'main form[method=post] .button-primary, main form[method=post] .button-danger';
const TIMER = 'https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer';
const LOOPBACK = 'http://127.0.0.1:49157/';
const PASSWORD = 'Lotleine mit 20 Faden';
// What a browser takes for an address and the server does not.
const TOO_LONG = `${'f'.repeat(250)}@example.org`;

let passed = 0;
const failures = [];

async function check(name, action) {
  try {
    await action();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failures.push(name);
    console.log(`FAIL  ${name}\n      ${String(error?.stack ?? error).replaceAll('\n', '\n      ')}`);
  }
}

const mailbox = await new Mailbox().open();
const server = new Server(workFolder('german'), {
  operator_contact: 'hafen@example.org',
  sign_up: 'open',
  limits_logins_per_minute: '1000',
  ...mailbox.settings,
});

const bare = (path) => path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID').replace(/\/\d+(?=\/|$)/g, '/ID').replace(/[\w-]{40,}$/, 'SECRET');

// The forms that were met on the way and those that were sent, by their addresses.
const met = new Map();
const sent = new Set();

class Walker {
  constructor(page, scripted) {
    this.page = page;
    this.scripted = scripted;
    this.complaints = [];
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) this.complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (request.isNavigationRequest()) sent.add(bare(new URL(request.url()).pathname));
    });
  }

  async look(name) {
    const { page } = this;
    const forms = await page.$$eval('form', (all) =>
      all.filter((form) => form.checkVisibility()).map((form) => new URL(form.getAttribute('action'), document.baseURI).pathname),
    );
    for (const path of forms) met.set(bare(path), name);
    // What a program asked for that cannot be is quoted as programs are told it.
    const foreign = name.startsWith('unknown ') ? [] : await english(page);
    const problems = [...(await structure(page, 'de')), ...foreign];
    if (!this.scripted) problems.push(...(await withoutScript(page)));
    problems.push(...(await unreadable(page)));
    await page.setViewportSize(WIDE);
    problems.push(...(await unreadable(page)));
    await page.setViewportSize(NARROW);
    if (problems.length) failures.push(name);
    console.log(problems.length ? `FAIL  ${name}\n      ${problems.join('\n      ')}` : `ok    ${name}`);
    passed += problems.length ? 0 : 1;
  }

  async go(path, name) {
    await this.page.goto(path.startsWith('http') ? path : `${server.url}${path}`);
    if (name) await this.look(name);
  }

  get path() {
    return new URL(this.page.url()).pathname;
  }

  async type(selector, text) {
    await tabTo(this.page, selector);
    await this.page.keyboard.press('Control+A');
    await this.page.keyboard.press('Delete');
    await this.page.keyboard.insertText(text);
  }

  async tick(selector) {
    await tabTo(this.page, selector);
    await this.page.keyboard.press('Space');
  }

  // One of several: the arrow keys go from one to the next.
  async choose(name, value) {
    await tabTo(this.page, `main [name=${name}]`);
    await this.page.keyboard.press('Space');
    for (let steps = 0; steps < 20; steps += 1) {
      if ((await this.page.locator(`main [name=${name}]:checked`).getAttribute('value')) === value) return;
      await this.page.keyboard.press('ArrowDown');
    }
    throw new Error(`the keyboard does not reach ${value} of ${name}`);
  }

  // Presses what leads on, and waits for the next page.
  async press(selector, name) {
    await tabTo(this.page, selector);
    await Promise.all([this.page.waitForEvent('load'), this.page.keyboard.press('Enter')]);
    if (name) await this.look(name);
  }

  // Back to the app.
  async leave(selector, target = CALLBACK) {
    await tabTo(this.page, selector);
    await this.page.keyboard.press('Enter');
    await this.page.waitForURL((url) => url.href.startsWith(target));
  }

  async send(fields, name, button = MAIN) {
    for (const [field, text] of Object.entries(fields)) await this.type(`main [name=${field}]`, text);
    await this.press(button, name);
  }

  // The server says what is wrong, beside the field.
  async refused(fields, name, button) {
    await this.send(fields, name, button);
    assert.equal(await this.page.locator('main [role=alert]:visible').count(), 1, `${name}: no refusal on ${this.page.url()}`);
  }

  async said(notice) {
    assert.match(this.page.url(), new RegExp(`[?&]notice=${notice}`), await this.page.locator('main').innerText());
  }
}

function authorize(client, scope, redirectUri, more = {}) {
  const url = new URL('/v2/oauth2/authorize', server.url);
  url.search = new URLSearchParams({
    client_id: client.id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope,
    state: 'zustand',
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  });
  return url.href;
}

async function walker(browser, options = {}) {
  const context = await browser.newContext({
    locale: 'de-DE',
    javaScriptEnabled: false,
    viewport: NARROW,
    colorScheme: 'dark',
    reducedMotion: 'reduce',
    ...options,
  });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  await standInFor(page, new URL(CALLBACK).origin, new URL(LOOPBACK).origin);
  return new Walker(page, options.javaScriptEnabled === true);
}

const link = async (recipient) => /https?:\/\/\S+\/p\/\S+/.exec((await mailbox.take(recipient)).text)[0];

async function beginnings(walk) {
  const [address] = await server.line(/https?:\/\/\S+\/p\/setup\/\S+/);
  await walk.go(address, 'setup');
  const administrator = { username: 'hafenmeister', name: 'Hanna Hafen', email: 'hanna@example.org', password: PASSWORD };
  await walk.refused({ ...administrator, password_again: `${PASSWORD}!` }, 'setup, refused');
  await walk.send({ password: PASSWORD, password_again: PASSWORD }, 'setup, done');

  await walk.go('/p/sign-up', 'sign up');
  await walk.refused({ email: TOO_LONG }, 'sign up, refused');
  await walk.send({ email: 'frieda@example.org' }, 'sign up, asked');
  await walk.go(await link('frieda@example.org'), 'sign up, account');
  const person = { username: 'frieda', name: 'Frieda Fähre', password: PASSWORD };
  await walk.refused({ ...person, username: 'hafenmeister', password_again: PASSWORD }, 'sign up, name taken');
  await walk.send({ ...person, password_again: PASSWORD }, 'sign up, done');

  await walk.go('/p/reset', 'reset');
  await walk.send({ username: 'frieda' }, 'reset, asked');
  const reset = await link('frieda@example.org');
  await walk.go(reset, 'reset, password');
  await walk.refused({ password: PASSWORD, password_again: `${PASSWORD}!` }, 'reset, refused');
  await walk.send({ password: `${PASSWORD}.`, password_again: `${PASSWORD}.` }, 'reset, done');
  await mailbox.take('frieda@example.org');
  await walk.go(reset, 'reset, used link');
  return { ...person, password: `${PASSWORD}.` };
}

async function account(walk, person) {
  await walk.page.context().clearCookies();
  await walk.go('/p/login', 'login');
  await walk.refused({ username: person.username, password: 'nicht das richtige Wort' }, 'login, refused');
  await walk.send({ username: person.username, password: person.password }, 'home');

  await walk.go('/p/address', 'address');
  await walk.refused({ email: TOO_LONG }, 'address, refused');
  await walk.send({ email: 'faehre@example.org' }, 'address, asked');
  await walk.go(await link('faehre@example.org'), 'address, confirm');
  await walk.press(MAIN, 'address, confirmed');

  await walk.go('/p/account/security/password', 'password');
  const changed = { password: PASSWORD, password_again: PASSWORD };
  await walk.refused({ password_now: 'nicht das richtige Wort', ...changed }, 'password, refused');
  await walk.send({ password_now: person.password, ...changed }, 'security, password changed');
  person.password = PASSWORD;

  await walk.go('/p/account/security', 'security');
  await walk.press('form[action$="/totp"] button', 'authenticator app');
  const secret = (await walk.page.locator('.code').innerText()).trim();
  await walk.refused({ otp: '000000' }, 'authenticator app, refused');
  await walk.send({ otp: oneTimeCode(secret) }, 'security, with an app');
  await walk.go('/p/account/security/recovery-codes', 'recovery codes');
  await walk.press(MAIN, 'recovery codes, shown');
  const [code] = await walk.page.locator('.code-list code').allInnerTexts();
  await walk.press('main .button-primary', 'security, with codes');

  await walk.page.context().clearCookies();
  await walk.go('/p/login');
  await walk.send({ username: person.username, password: person.password }, 'second step');
  await walk.refused({ otp: '000000' }, 'second step, refused');
  await walk.tick('main summary');
  await walk.type('[name=recovery_code]', code.trim());
  await Promise.all([walk.page.waitForEvent('load'), walk.page.keyboard.press('Enter')]);
  await walk.look('home, after the second step');
  await walk.go('/p/account/security/totp/remove', 'remove the app');
  await walk.refused({ password_now: 'nicht das richtige Wort' }, 'remove the app, refused');
  await walk.send({ password_now: person.password }, 'security, removed');
}

async function passkeys(browser, person) {
  const walk = await walker(browser, { javaScriptEnabled: true });
  await plugIn(walk.page, LOCK);
  await walk.go('/p/login');
  await walk.send({ username: person.username, password: person.password });
  await walk.go('/p/account/security/passkeys', 'passkey, new');
  await walk.type('[name=name]', 'Rechner');
  await Promise.all([walk.page.waitForURL(/notice=/), walk.page.keyboard.press('Enter')]);
  await walk.look('security, with a passkey');
  await check('axe finds nothing on a German page with a passkey', async () => {
    assert.deepEqual(await violations(walk.page), []);
  });
  const names = walk.page.locator('main .links a');
  const [rename, remove] = await names.evaluateAll((all) => all.map((node) => node.getAttribute('href')));
  await walk.go(rename, 'passkey, rename');
  await walk.refused({ name: 'x'.repeat(70) }, 'passkey, rename refused');
  // The script has put the focus on the list of what is wrong; its first link is the next stop.
  await walk.page.keyboard.press('Tab');
  await walk.send({ name: 'Blauer Schlüssel' }, 'passkey, renamed');

  const again = await walker(browser);
  await again.go('/p/login');
  await again.send({ username: person.username, password: person.password }, 'second step, passkey only');
  await again.page.context().close();

  await walk.go(remove, 'passkey, remove');
  await walk.refused({ password_now: 'nicht das richtige Wort' }, 'passkey, remove refused');
  await walk.page.keyboard.press('Tab');
  await walk.send({ password_now: person.password }, 'security, passkey removed');
  await walk.page.context().close();
}

async function sessions(browser, walk, person) {
  for (let number = 0; number < 2; number += 1) {
    const other = await walker(browser);
    await other.go('/p/login');
    await other.send({ username: person.username, password: person.password });
  }
  await walk.go('/p/account/sessions', 'sessions');
  await walk.press('main section:last-of-type button[name=session]', 'sessions, one ended');
  await walk.press('main button[value=others]', 'sessions, others ended');
}

async function permissions(walk, portal, program) {
  const tree = `openid ${TIMER}[*${TRANSFER_ALL}]`;
  await walk.go(authorize(portal, tree, CALLBACK), 'consent');
  await walk.leave('button[value=deny]');
  assert.equal(new URL(walk.page.url()).searchParams.get('error'), 'access_denied');
  await walk.go(authorize(portal, tree, CALLBACK, { access_type: 'offline' }), 'consent, while away');
  await walk.leave('button[value=allow]');
  assert.match(new URL(walk.page.url()).searchParams.get('code'), /^AgPC/);

  await walk.go(authorize(program, 'openid', `${server.url}/v2/web/auth-code`), 'consent of a program');
  await walk.type('main [name=label]', 'Rechner im Labor');
  await walk.press('button[value=allow]', 'display of the code');
  await walk.go(authorize(program, 'openid', LOOPBACK), 'continue as');
  await walk.leave('button[value=deny]', LOOPBACK);
  await walk.go(`${server.url}/v2/web/auth-code?error=access_denied`, 'display of a refusal');

  await walk.go('/v2/web/consents', 'permissions');
  await walk.press('main .scope-action a', 'withdrawal');
  await walk.press(MAIN, 'permissions, withdrawn');
  await walk.go('/v2/web/consents/all', 'withdrawal of everything');
  await walk.press(MAIN, 'permissions, none');
  await walk.go(authorize({ id: '00000000-0000-4000-8000-000000000000' }, 'openid', CALLBACK), 'unknown app');
  await walk.go(authorize(portal, 'openid', 'https://portal.example.org/anderswo'), 'unknown address');
  await walk.go(authorize(portal, 'urn:no:such:scope', CALLBACK), 'unknown scope');
  await walk.go('/p/language/fr', 'nothing there');
}

async function links(walk, person, second) {
  await walk.go('/v2/web/identities', 'accounts');
  await walk.go('/p/link', 'link');
  await walk.press('button[value=begin]', 'link, login');
  await walk.send({ username: person.username, password: person.password }, 'link, refused');
  await walk.press('main a.button-primary, main a.button', 'link, again');
  await walk.send({ username: second.username, password: second.password }, 'link, confirm');
  await walk.press('button[value=link]', 'accounts, linked');
  await walk.press('main a[href$="/primary"]', 'primary');
  await walk.press(MAIN, 'accounts, another primary');
  await walk.press('main a[href$="/unlink"]', 'unlink');
  await walk.press(MAIN, 'accounts, unlinked');
}

async function main() {
  const browser = await launch();
  try {
    await server.start();
    const walk = await walker(browser);
    const person = await beginnings(walk);
    const portal = await server.createClient('Strahlrohr', 'confidential_client', CALLBACK);
    const program = await server.createClient('Kartenprogramm', 'public_installed_client');
    const second = await server.addUser('frieda-uni', 'Frieda Fähre', 'f@uni.example.org');
    await account(walk, person);
    await sessions(browser, walk, person);
    await permissions(walk, portal, program);
    await links(walk, person, second);
    await inWholeBrowser((whole) => passkeys(whole, person));
    await developers(walk, MAIN, person);
    const elsewhere = await walker(browser);
    await elsewhere.go('/p/login');
    await elsewhere.send({ username: second.username, password: second.password });
    const administrator = await server.addUser('lotse', 'Lotte Lotse', 'lotte@example.org', '--admin');
    const other = await walker(browser);
    await operators(other, MAIN, administrator, { person: second, client: portal });
    await check('every form that was met has been sent', () => {
      const missing = [...met].filter(([path]) => !sent.has(path)).map(([path, name]) => `${path} (${name})`);
      assert.deepEqual(missing, []);
      assert.ok(met.size > 40, `only ${met.size} forms were met`);
    });
    await check('no page broke its own content security policy', () => {
      assert.deepEqual([...walk.complaints, ...other.complaints], []);
    });
  } finally {
    await browser.close();
    await server.stop();
    mailbox.close();
  }
}

try {
  await main();
} catch (error) {
  failures.push('the walk');
  console.error(error);
}
console.log(`${met.size} forms met, ${sent.size} addresses visited`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length ? 1 : 0;
