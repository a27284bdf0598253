// Every page of the server in Chromium: accessible (axe-core, A and AA), usable by keyboard alone and without
// JavaScript, readable at 320 px, in dark and light, and true to its own content security policy.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { Mailbox } from '../lib/mailbox.mjs';
import { CALLBACK, Server, TRANSFER_ALL, workFolder } from '../lib/portolan.mjs';
import { decide, heading, inWholeBrowser, launch, readCode, signIn, standInFor, tabTo } from './chromium.mjs';
import { operators } from './console.mjs';
import { developers } from './developers.mjs';
import { faint, structure, unreadable, violations } from './eyes.mjs';
import { hostileContent } from './hostile.mjs';
import { secondFactors } from './passkeys.mjs';
import { services } from './services.mjs';

const TIMER = 'https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer';
const GROUPS_VIEW = 'urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships';
const TREE = `openid profile email ${TIMER}[${TRANSFER_ALL}] ${GROUPS_VIEW}`;
const OPTIONAL_TREE = `openid ${TIMER}[*${TRANSFER_ALL}] ${GROUPS_VIEW}`;
const PRIVATE_SCHEME = 'org.example.sextant:/callback';

const directory = workFolder('pages');
const screens = join(process.env.PORTOLAN_E2E_DIR || directory, 'screens');
mkdirSync(screens, { recursive: true });

let passed = 0;
const failures = [];

async function check(name, action) {
  try {
    await action();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failures.push({ name, error });
    console.log(`FAIL  ${name}\n      ${String(error?.message ?? error).replaceAll('\n', '\n      ')}`);
  }
}

const mailbox = await new Mailbox().open();
const server = new Server(directory, {
  operator_contact: 'harbour@example.org',
  sign_up: 'open',
  // Everybody comes from one address.
  limits_logins_per_minute: '1000',
  ...mailbox.settings,
});
let browser;

// A context that complains about anything the content security policy stops and about any foreign address.
async function open(options = {}, within = browser) {
  const context = await within.newContext(options);
  context.setDefaultTimeout(15_000);
  const complaints = [];
  context.on('console', (message) => {
    if (/content security policy/i.test(message.text())) complaints.push(message.text());
  });
  context.on('weberror', (error) => complaints.push(String(error.error())));
  const requests = [];
  context.on('request', (request) => {
    requests.push(request.url());
    if (request.isNavigationRequest() || !request.frame().url().startsWith(server.baseUrl)) return;
    const { origin, protocol } = new URL(request.url());
    if (origin !== server.url && protocol !== 'data:') complaints.push(`the page loads ${request.url()}`);
  });
  context.on('response', (response) => {
    if (response.url().startsWith(`${server.url}/static/`) && response.status() !== 200) {
      complaints.push(`${response.status()} for ${response.url()}`);
    }
  });
  const newPage = async () => {
    const page = await context.newPage();
    await standInFor(page, new URL(CALLBACK).origin);
    return page;
  };
  return { context, page: await newPage(), newPage, complaints, requests };
}

function authorize(client, scope, redirectUri, more = {}) {
  const verifier = randomBytes(48).toString('base64url');
  const url = new URL('/v2/oauth2/authorize', server.url);
  url.search = new URLSearchParams({
    client_id: client.id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope,
    state: 'state-of-the-page',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  });
  return url.href;
}

// Looks at the page that is open, in both colour schemes, narrow and wide, and leaves a picture of it.
async function inspect(page, name, language = 'en') {
  await check(`${name}: no accessibility violation, light and dark`, async () => {
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    const light = await violations(page);
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await faint(page);
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'no-preference' });
    assert.deepEqual({ light, dark }, { light: [], dark: [] });
  });
  await check(`${name}: readable at 320 px, with landmarks, one heading and a language`, async () => {
    await page.setViewportSize({ width: 320, height: 640 });
    const found = [...(await structure(page, language)), ...(await unreadable(page))];
    await page.screenshot({ path: join(screens, `${name}.png`), fullPage: true });
    await page.setViewportSize({ width: 1280, height: 900 });
    assert.deepEqual(found, []);
  });
}

async function expectHeaders(response, name) {
  await check(`${name}: headers`, async () => {
    const headers = response.headers();
    const policy = headers['content-security-policy'] ?? '';
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.match(policy, /base-uri 'none'/);
    assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval|\*/);
    assert.match(headers['cache-control'] ?? '', /no-store/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.ok(headers['x-request-id'], 'no request id');
  });
}

async function everyPage(people, clients) {
  const { context, page, newPage, complaints } = await open();

  const first = await page.goto(authorize(clients.portal, TREE, CALLBACK, { login_hint: '' }));
  await expectHeaders(first, 'login');
  await inspect(page, 'login');

  await check('login: the operator is named', async () => {
    assert.match(await page.locator('body').innerText(), /harbour@example\.org/);
  });
  await check('login: a wrong password is explained and tied to the field', async () => {
    await signIn(page, { username: people.alice.username, password: 'not the right password' });
    await page.locator('[role=alert]').first().waitFor();
    assert.equal(await page.inputValue('input[name=username]'), people.alice.username);
    assert.equal(await page.inputValue('input[name=password]'), '');
    assert.match(await page.title(), /error/i);
  });
  await inspect(page, 'login-error');

  await page.goto(
    authorize(clients.portal, TREE, CALLBACK, {
      login_hint: people.alice.username,
      session_message: 'Prove it is you',
    }),
  );
  await check('login: hint and message of the request are shown', async () => {
    assert.equal(await page.inputValue('input[name=username]'), people.alice.username);
    assert.match(await page.locator('main').innerText(), /Prove it is you/);
  });
  await inspect(page, 'login-message');

  await signIn(page, people.alice);
  await page.locator('button[name=decision][value=allow]').waitFor();
  await check('consent: client, account, scopes and the tree beneath them', async () => {
    const text = await page.locator('main').innerText();
    assert.match(text, /Beamline Portal/);
    assert.match(text, /alice@portolan\.local/);
    const depth = await page.evaluate(() =>
      Math.max(
        ...[...document.querySelectorAll('main li')].map((node) => {
          let count = 0;
          for (let up = node; up; up = up.parentElement?.closest('li')) count += 1;
          return count;
        }),
      ),
    );
    assert.ok(depth >= 2, 'no dependent scope stands beneath its parent');
  });
  await inspect(page, 'consent');
  await check('consent: https redirect arrives with code, state and issuer', async () => {
    await decide(page, 'allow');
    await page.waitForURL((url) => url.href.startsWith(CALLBACK));
    const answer = new URL(page.url()).searchParams;
    assert.match(answer.get('code'), /^AgPC/);
    assert.equal(answer.get('state'), 'state-of-the-page');
    assert.equal(answer.get('iss'), server.url);
  });

  await page.goto(authorize(clients.console, 'openid profile', `${server.url}/v2/web/auth-code`));
  await page.locator('button[name=decision][value=allow]').waitFor();
  await inspect(page, 'consent-native');
  await decide(page, 'allow');
  await check('display page: shows the code, warns, and tells nobody', async () => {
    const code = await readCode(page);
    assert.match(code, /^AgPC/);
    assert.match(await page.locator('main').innerText(), /only to the program/i);
    const again = await page.goto(page.url());
    assert.match(again.headers()['referrer-policy'], /no-referrer/);
    assert.match(again.headers()['cache-control'], /no-store/);
  });
  await inspect(page, 'display-code');

  await page.goto(`${server.url}/v2/web/auth-code?error=access_denied&error_description=You+said+no`);
  await check('display page: shows a refusal', async () => {
    assert.match(await page.locator('main').innerText(), /You said no[\s\S]*access_denied/);
  });
  await inspect(page, 'display-error');

  const loopback = await page.goto(authorize(clients.console, 'openid profile', 'http://127.0.0.1:49157/'));
  await check('continue page: asks once more before a native app gets its code', async () => {
    assert.equal(loopback.status(), 200);
    const text = await page.locator('main').innerText();
    assert.match(text, /Continue as alice@portolan\.local/);
    assert.match(text, /Chart Console/);
  });
  await inspect(page, 'continue-as');

  for (const [name, url, expected] of [
    ['error-client', authorize({ id: '00000000-0000-4000-8000-000000000000' }, 'openid', CALLBACK), /client/i],
    ['error-redirect', authorize(clients.portal, 'openid', 'https://portal.example.org/elsewhere'), /redirect/i],
    ['error-scope', authorize(clients.portal, 'urn:no:such:scope', CALLBACK), /Unknown scope\(s\)/],
  ]) {
    const response = await page.goto(url);
    await check(`${name}: a page, not a redirect, with what the operator needs`, async () => {
      assert.equal(response.status(), 400);
      assert.ok(page.url().startsWith(server.url));
      const text = await page.locator('main').innerText();
      assert.match(text, expected);
      assert.match(text, /[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}/);
    });
    if (name === 'error-scope') {
      await check('error-scope: the four pieces of data', async () => {
        const text = await page.locator('main').innerText();
        assert.match(text, /urn:no:such:scope/);
        assert.match(text, /UNKNOWN_SCOPE_ERROR/);
        assert.match(text, /Occurred at time/);
        assert.match(text, /Error ID/);
      });
    }
    await inspect(page, name);
  }

  const missing = await page.goto(`${server.url}/p/no-such-page`);
  await check('an unknown page is a 404', async () => assert.equal(missing.status(), 404));

  await page.goto(`${server.url}/`);
  await inspect(page, 'home');

  // A link from another site ends no session: the page asks first.
  await page.goto(`${new URL(CALLBACK).origin}/`);
  await page.evaluate(
    (url) => {
      const link = document.createElement('a');
      link.href = url;
      link.textContent = 'out';
      document.body.append(link);
    },
    `${server.url}/v2/web/logout?client_id=${clients.portal.id}&redirect_uri=${encodeURIComponent(CALLBACK)}&redirect_name=Portal`,
  );
  await page.click('a');
  await page.waitForURL(/\/v2\/web\/logout/);
  await check('logout: a link from another site asks first', async () => {
    assert.match(await heading(page), /log out\?/i);
    const still = await newPage();
    await still.goto(authorize(clients.portal, TREE, CALLBACK));
    assert.ok(still.url().startsWith(CALLBACK), `the session is gone: ${still.url()}`);
    await still.close();
  });
  await inspect(page, 'logout');
  await page.click('main form button[type=submit]');
  await page.getByRole('heading', { name: /logged out/i }).waitFor();
  await check('logout: the registered way back is offered as a link', async () => {
    const link = page.locator(`a[href="${CALLBACK}"]`);
    assert.match(await link.innerText(), /Portal/);
  });
  await inspect(page, 'logged-out');
  await check('logout: the next authorization asks for the password', async () => {
    await page.goto(authorize(clients.portal, TREE, CALLBACK));
    assert.equal(await page.locator('input[name=password]').count(), 1);
  });

  await check('no page broke its own content security policy', async () => assert.deepEqual(complaints, []));
  await context.close();
}

async function setUp() {
  const { context, page, complaints } = await open();
  const [link] = await server.line(/https?:\/\/\S+\/p\/setup\/\S+/);
  const response = await page.goto(link);
  await expectHeaders(response, 'setup');
  await inspect(page, 'setup');
  await check('setup: passwords that differ are explained', async () => {
    await page.fill('input[name=username]', 'admin');
    await page.fill('input[name=name]', 'Ada Admin');
    await page.fill('input[name=email]', 'admin@example.org');
    await page.fill('input[name=password]', 'Sounding-line 20 fathoms');
    await page.fill('input[name=password_again]', 'Sounding-line 21 fathoms');
    await page.click('form:has(input[name=password_again]) button[type=submit]');
    await page.locator('[role=alert]').first().waitFor();
    assert.equal(await page.inputValue('input[name=username]'), 'admin');
  });
  await inspect(page, 'setup-error');
  await check('setup: ends with an administrator', async () => {
    await page.fill('input[name=password]', 'Sounding-line 20 fathoms');
    await page.fill('input[name=password_again]', 'Sounding-line 20 fathoms');
    await page.click('form:has(input[name=password_again]) button[type=submit]');
    await page.locator('input[name=password_again]').waitFor({ state: 'detached' });
  });
  await inspect(page, 'setup-done');
  await check('setup: the link is dead afterwards', async () => {
    const again = await page.goto(link);
    assert.ok(again.status() >= 400, `it answers ${again.status()}`);
    assert.equal(await page.locator('input[name=password_again]').count(), 0);
  });
  await inspect(page, 'setup-used');
  await check('setup: no page broke its own content security policy', async () => assert.deepEqual(complaints, []));
  await context.close();
}

async function keyboardOnly(people, client) {
  await check('keyboard: login and consent with Tab, typing and Enter alone', async () => {
    const { context, page } = await open();
    await page.goto(authorize(client, TREE, CALLBACK));
    await tabTo(page, 'input[name=username]');
    await page.keyboard.type(people.alice.username);
    await tabTo(page, 'input[name=password]');
    await page.keyboard.type(people.alice.password);
    await page.keyboard.press('Enter');
    await page.locator('button[name=decision][value=allow]').waitFor();
    await tabTo(page, 'button[name=decision][value=allow]');
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.href.startsWith(CALLBACK));
    assert.match(new URL(page.url()).searchParams.get('code'), /^AgPC/);
    await context.close();
  });
  await check('keyboard: consent can be denied', async () => {
    const { context, page } = await open();
    await page.goto(authorize(client, `${TREE} urn:globus:auth:scope:search.api.globus.org:all`, CALLBACK));
    await signIn(page, people.alice);
    await page.locator('button[name=decision][value=deny]').waitFor();
    await tabTo(page, 'button[name=decision][value=deny]');
    await page.keyboard.press('Space');
    await page.waitForURL((url) => url.href.startsWith(CALLBACK));
    assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied');
    await context.close();
  });
  await check('keyboard: the skip link comes first and leads to the content', async () => {
    const { context, page } = await open();
    await page.goto(`${server.url}/v2/web/auth-code?error=access_denied`);
    await page.keyboard.press('Tab');
    const target = await page.evaluate(() => document.activeElement.getAttribute('href'));
    assert.match(target ?? '', /^#/);
    assert.equal(await page.locator(`main${target}, main ${target}`).count(), 1);
    await context.close();
  });
}

async function withoutScript(people, client) {
  await check('without JavaScript: login, error, consent and code', async () => {
    const { context, page } = await open({ javaScriptEnabled: false });
    await page.goto(authorize(client, TREE, CALLBACK));
    await signIn(page, { ...people.alice, password: 'not the right password' });
    await page.locator('[role=alert]').first().waitFor();
    await signIn(page, people.alice);
    await page.locator('button[name=decision][value=allow]').waitFor();
    await decide(page, 'allow');
    await page.waitForURL((url) => url.href.startsWith(CALLBACK));
    assert.match(new URL(page.url()).searchParams.get('code'), /^AgPC/);
    await context.close();
  });
  await check('without JavaScript: nothing is offered that needs it', async () => {
    const { context, page } = await open({ javaScriptEnabled: false });
    await page.goto(`${server.url}/v2/web/auth-code?code=AgPCexample`);
    const dead = await page.locator('button:visible:not([type=submit])').count();
    assert.equal(dead, 0, 'a button that does nothing is shown');
    await context.close();
  });
}

// The form of the consent page is answered by a redirect to the client: form-action must let it through,
// and only there.
async function formAction(people, clients) {
  await check('form-action: consent and login redirect to a loopback address', async () => {
    const arrived = [];
    const listener = createServer((request, response) => {
      arrived.push(request.url);
      response.end('<!doctype html><title>App</title>');
    });
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const redirect = `http://127.0.0.1:${listener.address().port}/`;
    try {
      const { context, page, complaints } = await open();
      await page.goto(authorize(clients.loopback, 'openid', redirect));
      await signIn(page, people.alice);
      await page.locator('button[name=decision][value=allow]').waitFor();
      await decide(page, 'allow');
      await page.waitForURL((url) => url.href.startsWith(redirect));
      assert.match(new URL(page.url()).searchParams.get('code'), /^AgPC/);
      assert.deepEqual(complaints, []);

      await page.goto(authorize(clients.loopback, 'openid', redirect));
      assert.match(await page.locator('main').innerText(), /Continue as/);
      await decide(page, 'allow');
      await page.waitForURL((url) => url.href.startsWith(redirect));
      assert.deepEqual(complaints, []);
      assert.equal(arrived.filter((path) => path.includes('code=AgPC')).length, 2);
      await context.close();
    } finally {
      listener.close();
    }
  });

  await check('form-action: consent redirects to a private-use scheme', async () => {
    const { context, page, complaints, requests } = await open();
    await page.goto(authorize(clients.sextant, 'openid', PRIVATE_SCHEME));
    await signIn(page, people.alice);
    await page.locator('button[name=decision][value=allow]').waitFor();
    await decide(page, 'allow');
    // Nobody handles the scheme here: Chromium begins the request and gives it up. Had the policy forbidden it,
    // the request would not have begun.
    const deadline = Date.now() + 10_000;
    const sent = () => requests.find((url) => url.startsWith(PRIVATE_SCHEME));
    while (!sent() && Date.now() < deadline) await page.waitForTimeout(50);
    assert.match(sent() ?? 'nothing', /[?&]code=AgPC/);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  await check('form-action: this browser does stop a redirect that a policy leaves out', async () => {
    const listener = createServer((request, response) => {
      if (request.method === 'POST') response.writeHead(303, { location: `${CALLBACK}?code=AgPCstopped` }).end();
      else {
        const headers = { 'content-type': 'text/html', 'content-security-policy': "form-action 'self'" };
        response.writeHead(200, headers).end('<form method="post"><button type="submit">Go</button></form>');
      }
    });
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    try {
      const { context, page, complaints, requests } = await open();
      await page.goto(`http://127.0.0.1:${listener.address().port}/`);
      await page.click('button');
      const deadline = Date.now() + 10_000;
      while (!complaints.length && Date.now() < deadline) await page.waitForTimeout(50);
      assert.match(complaints.join('\n'), /form-action 'self'/);
      assert.deepEqual(
        requests.filter((url) => url.startsWith(CALLBACK)),
        [],
      );
      await context.close();
    } finally {
      listener.close();
    }
  });

  await check('form-action: a login that needs no consent redirects to https', async () => {
    const { context, page, complaints } = await open();
    await page.goto(authorize(clients.portal, TREE, CALLBACK));
    await signIn(page, people.alice);
    await page.waitForURL((url) => url.href.startsWith(CALLBACK));
    assert.match(new URL(page.url()).searchParams.get('code'), /^AgPC/);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  await check('form-action: an app may send the browser on to another origin of its own', async () => {
    const { context, page, complaints } = await open();
    const pages = createServer((request, response) => response.end('<!doctype html><title>App</title>'));
    await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
    const home = `http://127.0.0.1:${pages.address().port}/home`;
    const listener = createServer((request, response) => response.writeHead(303, { location: home }).end());
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    try {
      await page.goto(authorize(clients.loopback, 'openid', `http://127.0.0.1:${listener.address().port}/`));
      await signIn(page, people.alice);
      await page.waitForURL(home);
      assert.deepEqual(complaints, []);
    } finally {
      listener.close();
      pages.close();
    }
    await context.close();
  });

  await check('form-action: without a redirect to come, a form leads nowhere but here', async () => {
    const { context, page } = await open();
    const response = await page.goto(`${server.url}/p/login`);
    assert.match(response.headers()['content-security-policy'], /form-action 'self';/);
    await context.close();
  });
}

// A person who has allowed two apps something looks at it and takes it back.
async function withdrawals(person, clients) {
  const list = `${server.url}/v2/web/consents`;
  const back = new URLSearchParams({
    client_id: clients.harbour.id,
    redirect_uri: `${new URL(CALLBACK).origin}/account`,
    redirect_name: 'Harbour Portal',
  });
  const { context, page, complaints } = await open();

  await page.goto(`${list}?${back}`);
  await check('consents: signing in comes first and leads to the list', async () => {
    assert.match(page.url(), /\/p\/login\?/);
    await signIn(page, person);
    await page.waitForURL((url) => url.pathname === '/v2/web/consents');
    assert.match(await page.locator('main').innerText(), /No app may act for you/);
    assert.equal(await page.getByRole('link', { name: 'Back to Harbour Portal' }).count(), 1);
  });
  await inspect(page, 'consents-none');

  for (const [client, scope, redirect] of [
    [clients.harbour, OPTIONAL_TREE, CALLBACK],
    [clients.chart, TREE, CALLBACK],
  ]) {
    await page.goto(authorize(client, scope, redirect, { access_type: 'offline' }));
    await page.locator('button[name=decision][value=allow]').waitFor();
    await decide(page, 'allow');
    await page.waitForURL((url) => url.href.startsWith(CALLBACK));
  }
  await page.goto(`${server.url}/`);
  await page.getByRole('link', { name: 'Your permissions' }).click();
  await page.waitForURL(list);
  await expectHeaders(await page.reload(), 'consents');
  await check('consents: apps with their trees, each link with a name of its own', async () => {
    const text = await page.locator('main').innerText();
    assert.match(text, /Chart Portal[\s\S]*Harbour Portal/);
    assert.match(text, /bob@portolan\.local/);
    const names = await page.locator('main a').allTextContents();
    assert.ok(names.length >= 8, names.join('\n'));
    assert.equal(new Set(names).size, names.length, names.join('\n'));
    const depth = await page.locator('main li li').count();
    assert.ok(depth >= 2, 'no dependent scope stands beneath its parent');
  });
  await inspect(page, 'consents');

  const branch = page.getByRole('link', { name: /Withdraw only this/ });
  const path = await branch.getAttribute('href');
  await check('keyboard: a branch is withdrawn with Tab and Enter alone', async () => {
    await tabTo(page, `a[href="${path}"]`);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Withdraw this part?' }).waitFor();
    const text = await page.locator('main').innerText();
    assert.match(text, /What will stop working[\s\S]*Manage data transfers[\s\S]*What stays/);
  });
  await inspect(page, 'consents-revoke-branch');
  await check('keyboard: the withdrawal is confirmed and told', async () => {
    await tabTo(page, 'main form button[type=submit]');
    await page.keyboard.press('Enter');
    await page.waitForURL(/[?&]notice=withdrawn/);
    assert.match(await page.locator('[role=status]').innerText(), /has ended/);
    assert.equal(await page.locator(`a[href="${path}"]`).count(), 0);
    assert.match(await page.locator('main').innerText(), /Harbour Portal/);
  });
  await inspect(page, 'consents-withdrawn');
  await page.goto(`${server.url}${path}`);
  await check('consents: what is gone is not found', async () => {
    assert.match(await heading(page), /not found/i);
  });

  await page.goto(list);
  await page.getByRole('link', { name: /everything… that Chart Portal may do/ }).click();
  await page.getByRole('heading', { name: 'Withdraw everything?' }).waitFor();
  await inspect(page, 'consents-revoke-app');
  await page.goto(`${list}/all`);
  await check('consents: all of every app can be withdrawn at once, and the page says what ends', async () => {
    assert.match(await page.locator('main').innerText(), /these 2 apps[\s\S]*Chart Portal[\s\S]*Harbour Portal/);
  });
  await inspect(page, 'consents-revoke-all');
  await page.goto(list);
  await page.getByRole('link', { name: /everything… that Chart Portal may do/ }).click();
  await check('consents: everything of an app is withdrawn at once', async () => {
    await page.click('main form button[type=submit]');
    await page.waitForURL(/[?&]notice=withdrawn/);
    const text = await page.locator('main').innerText();
    assert.doesNotMatch(text, /Chart Portal/);
    assert.match(text, /Harbour Portal/);
  });
  await check('no page of the permissions broke its own content security policy', async () =>
    assert.deepEqual(complaints, []),
  );
  await context.close();

  await check('without JavaScript: a permission is withdrawn', async () => {
    const { context, page } = await open({ javaScriptEnabled: false });
    await page.goto(list);
    await signIn(page, person);
    await page.waitForURL(list);
    await page.getByRole('link', { name: /^Withdraw… View your groups/ }).click();
    await page.getByRole('heading', { name: 'Withdraw this permission?' }).waitFor();
    await page.click('main form button[type=submit]');
    await page.waitForURL(/[?&]notice=withdrawn/);
    assert.doesNotMatch(await page.locator('main').innerText(), /View your groups/);
    await context.close();
  });
}

// A person sees in which browsers they are signed in, and ends another one.
async function sessions(person) {
  const other = await open();
  await other.page.goto(`${server.url}/p/login`);
  await signIn(other.page, person);
  await other.page.getByText('Signed in as').waitFor();

  const { context, page, complaints } = await open();
  await page.goto(`${server.url}/p/account/sessions`);
  await check('sessions: signing in comes first and leads to the list', async () => {
    assert.match(page.url(), /\/p\/login\?/);
    await signIn(page, person);
    await page.waitForURL((url) => url.pathname === '/p/account/sessions');
    assert.match(await page.locator('main').innerText(), /Chrome on Linux \(this browser\)/);
  });
  await expectHeaders(await page.reload(), 'sessions');
  await inspect(page, 'sessions');
  await check('sessions: all but this one end, with the keyboard alone', async () => {
    await tabTo(page, 'main form button[value=others]');
    await page.keyboard.press('Enter');
    await page.waitForURL(/[?&]notice=ended/);
    assert.match(await page.locator('[role=status]').innerText(), /Nobody is signed in there/);
    await other.page.goto(`${server.url}/`);
    assert.equal(await other.page.getByText('Signed in as').count(), 0);
  });
  await inspect(page, 'sessions-ended');
  await check('no page of the sessions broke its own content security policy', async () =>
    assert.deepEqual(complaints, []),
  );
  await context.close();
  await other.context.close();
}

// Other identity providers: a few as they are, many behind a search, and what a refusal looks like.
async function providers(client) {
  const add = (name, number) =>
    server.command([
      'idp', 'add', '--name', name, '--short-name', `p${number}`, '--domain', `p${number}.example.edu`,
      '--issuer', `https://p${number}.example.edu`, '--client-id', 'portolan',
    ]);
  await server.command(['idp', 'add', '--preset', 'github', '--client-id', 'portolan']);
  await add('University of Springfield', 0);
  const { context, page, complaints } = await open();
  await page.goto(authorize(client, 'openid', CALLBACK));
  await inspect(page, 'login-providers');
  await check('providers: a link leads out, whatever the content security policy says', async () => {
    const out = page.waitForRequest((request) => request.url().startsWith('https://github.com/login/oauth/authorize?'));
    await page.route('https://github.com/**', (route) => route.abort());
    await page.getByRole('link', { name: /GitHub/ }).click({ noWaitAfter: true });
    const asked = new URL((await out).url()).searchParams;
    assert.equal(asked.get('code_challenge_method'), 'S256');
    assert.match(asked.get('redirect_uri'), /\/p\/callback\/[0-9a-f-]{36}$/);
  });
  for (let number = 1; number <= 30; number += 1) await add(`University of Shelbyville, campus ${number}`, number);
  await page.goto(authorize(client, 'openid', CALLBACK));
  await inspect(page, 'login-search');
  await check('providers: one is found by parts of its name with the keyboard', async () => {
    await tabTo(page, '#idp_search');
    await page.keyboard.type('spring univ');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: /University of Springfield/ }).waitFor();
    assert.match(await page.locator('[role=status]').innerText(), /Found: 1/);
    assert.match(page.url(), /request=/);
  });
  await page.goto(`${page.url().replace(/idp_search=[^&]*/, 'idp_search=campus')}`);
  await inspect(page, 'login-search-many');
  const { identity_provider: github } = await server.command(['idp', 'show', 'github']);
  await page.goto(`${server.url}/p/callback/${github.id}?state=unknown&code=stolen`);
  await check('providers: a refusal names the provider, the reason and a way back', async () => {
    assert.match(await heading(page), /GitHub/);
    assert.match(await page.locator('main').innerText(), /was not begun in this browser/);
    await page.getByRole('link', { name: 'Choose how to sign in' }).waitFor();
  });
  await inspect(page, 'provider-refused');
  await check('no page about providers broke its own content security policy', async () =>
    assert.deepEqual(complaints, []),
  );
  await context.close();
}

// A person links a second account, makes it the primary, and takes the first one out again.
async function accounts(first, second) {
  const list = `${server.url}/v2/web/identities`;
  const { context, page, complaints } = await open();
  await page.goto(list);
  await signIn(page, first);
  await page.waitForURL(list);
  await expectHeaders(await page.reload(), 'identities');
  await inspect(page, 'identities-alone');

  await check('keyboard: linking begins with Tab and Enter alone', async () => {
    await tabTo(page, 'main a[href="/p/link"]');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Link another account' }).waitFor();
  });
  await inspect(page, 'link');
  await page.click('button[name=decision][value=begin]');
  await page.getByRole('heading', { name: 'Sign in with the other account' }).waitFor();
  await inspect(page, 'login-linking');

  await signIn(page, first);
  await page.getByRole('heading', { name: 'These accounts cannot be linked' }).waitFor();
  await inspect(page, 'link-refused');
  await page.getByRole('link', { name: 'Sign in with another account' }).click();
  await signIn(page, second);
  await page.getByRole('heading', { name: 'Link these accounts?' }).waitFor();
  await inspect(page, 'link-confirm');
  await check('linking: both accounts are named, and linked after the last word', async () => {
    const text = await page.locator('main').innerText();
    assert.match(text, /carol@portolan\.local[\s\S]*carol-at-work@portolan\.local/);
    await decide(page, 'link');
    await page.waitForURL(/[?&]notice=linked/);
    assert.match(await page.locator('[role=status]').innerText(), /Linked/);
  });
  await inspect(page, 'identities');

  await page.getByRole('link', { name: 'Make primary… carol-at-work@portolan.local' }).click();
  await page.getByRole('heading', { name: 'Make this your primary account?' }).waitFor();
  await inspect(page, 'identity-primary');
  await page.click('main form button[type=submit]');
  await page.waitForURL(/[?&]notice=primary/);
  await page.getByRole('link', { name: 'Unlink… carol@portolan.local' }).click();
  await page.getByRole('heading', { name: 'Unlink this account?' }).waitFor();
  await inspect(page, 'identity-unlink');
  await check('unlinking: what will stop working is said, and it is done', async () => {
    assert.match(await page.locator('main').innerText(), /What will stop working/);
    await page.click('main form button[type=submit]');
    await page.waitForURL(/[?&]notice=unlinked/);
    assert.doesNotMatch(await page.locator('main').innerText(), /carol@portolan\.local/);
  });
  await check('no page of the accounts broke its own content security policy', async () =>
    assert.deepEqual(complaints, []),
  );
  await context.close();

  await check('without JavaScript: two accounts are linked', async () => {
    const { context, page } = await open({ javaScriptEnabled: false });
    await page.goto(`${server.url}/p/link`);
    await signIn(page, first);
    await page.click('button[name=decision][value=begin]');
    await signIn(page, second);
    await decide(page, 'link');
    await page.waitForURL(/[?&]notice=linked/);
    await context.close();
  });
}

// The pages around e-mail, each reached as a person reaches it: by the link in a message.
async function mail(person, address) {
  const { context, page, complaints } = await open();
  const link = async (recipient) => /https?:\/\/\S+\/p\/\S+/.exec((await mailbox.take(recipient)).text)[0];
  const submit = () => page.click('main form button[type=submit]');

  await page.goto(`${server.url}/p/login`);
  await page.getByRole('link', { name: 'Forgot your password?' }).click();
  await inspect(page, 'reset');
  await page.fill('input[name=username]', person.username);
  await submit();
  await page.getByRole('heading', { name: 'Look into your mail' }).waitFor();
  await inspect(page, 'reset-asked');
  await expectHeaders(await page.goto(await link(address)), 'reset-password');
  await inspect(page, 'reset-password');
  const changed = { ...person, password: 'Another sounding-line of 30 fathoms' };
  await check('mail: a lost password is replaced, and nobody is signed in by it', async () => {
    await page.fill('input[name=password]', changed.password);
    await page.fill('input[name=password_again]', changed.password);
    await submit();
    await page.getByRole('heading', { name: 'Password changed' }).waitFor();
    await page.getByRole('link', { name: 'Sign in' }).click();
    assert.equal(await page.locator('input[name=password]').count(), 1);
  });
  await mailbox.take(address);

  await page.goto(`${server.url}/p/login?next=address`);
  await signIn(page, changed);
  await page.getByRole('heading', { name: 'E-mail address' }).waitFor();
  await inspect(page, 'address');
  await check('mail: a new address counts after its link', async () => {
    await page.fill('input[name=email]', 'another@example.org');
    await submit();
    await page.getByRole('heading', { name: 'Look into your mail' }).waitFor();
    await page.goto(await link('another@example.org'));
    await inspect(page, 'address-confirm');
    await submit();
    await page.getByRole('heading', { name: 'Address confirmed' }).waitFor();
  });

  await page.goto(`${server.url}/p/sign-up`);
  await inspect(page, 'sign-up');
  await page.fill('input[name=email]', 'new@example.org');
  await submit();
  await page.getByRole('heading', { name: 'Look into your mail' }).waitFor();
  await page.goto(await link('new@example.org'));
  await inspect(page, 'sign-up-account');
  await check('mail: an account is opened behind the link', async () => {
    await page.fill('input[name=username]', 'newcomer');
    await page.fill('input[name=name]', 'New Comer');
    await page.fill('input[name=password]', 'Yet another line of 40 fathoms');
    await page.fill('input[name=password_again]', 'Yet another line of 40 fathoms');
    await submit();
    await page.getByRole('heading', { name: 'Your account is ready' }).waitFor();
  });
  await check('mail: no page broke its own content security policy', async () => assert.deepEqual(complaints, []));
  await context.close();
}

// The second language is longer: nothing may be cut off or burst its place.
async function inGerman(person, client) {
  const { context, page, complaints } = await open({ locale: 'de-DE' });
  const submit = () => page.locator('main button[type=submit]').first().click();
  for (const path of ['/', '/p/login', '/p/sign-up', '/p/reset']) {
    await page.goto(`${server.url}${path}`);
    await inspect(page, `de${path.replaceAll('/', '-')}`, 'de');
  }
  await page.goto(authorize(client, TREE, CALLBACK));
  await page.fill('input[name=username]', person.username);
  await page.fill('input[name=password]', person.password);
  await submit();
  await page.getByRole('button', { name: 'Erlauben' }).waitFor();
  await inspect(page, 'de-consent', 'de');
  await submit();
  await page.getByRole('heading', { name: 'Arrived' }).waitFor();
  for (const path of ['/', '/v2/web/consents', '/v2/web/identities', '/p/account/security', '/p/account/sessions']) {
    await page.goto(`${server.url}${path}`);
    await inspect(page, `de-signed-in${path.replaceAll('/', '-')}`, 'de');
  }
  await check('languages: a person chooses another one and stays on the page', async () => {
    await page.goto(`${server.url}/p/account/sessions?notice=ended`);
    await page.getByRole('link', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Where you are signed in' }).waitFor();
    assert.equal(page.url(), `${server.url}/p/account/sessions?notice=ended`);
    await page.goto(`${server.url}/p/account/security`);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
  });
  await check('languages: no page broke its own content security policy', async () => assert.deepEqual(complaints, []));
  await context.close();
}

async function main() {
  browser = await launch();
  try {
    await server.start();
    await setUp();

    const people = { alice: await server.addUser('alice', 'Alice A', 'a@example.org') };
    const clients = {
      portal: await server.createClient('Beamline Portal', 'confidential_client', CALLBACK),
      console: await server.createClient('Chart Console', 'public_installed_client'),
      loopback: await server.createClient('Loopback App', 'public_installed_client'),
      sextant: await server.createClient('Sextant', 'public_installed_client', PRIVATE_SCHEME),
      keyboard: await server.createClient('Keyboard Portal', 'confidential_client', CALLBACK),
      plain: await server.createClient('Plain Portal', 'confidential_client', CALLBACK),
      harbour: await server.createClient('Harbour Portal', 'confidential_client', CALLBACK),
      chart: await server.createClient('Chart Portal', 'confidential_client', CALLBACK),
    };
    await everyPage(people, clients);
    await keyboardOnly(people, clients.keyboard);
    await withoutScript(people, clients.plain);
    await formAction(people, clients);
    await withdrawals(await server.addUser('bob', 'Bob B', 'b@example.org'), clients);
    await sessions(await server.addUser('cleo', 'Cleo C', 'c@example.org'));
    await providers(clients.plain);
    await accounts(
      await server.addUser('carol', 'Carol C', 'c@example.org'),
      await server.addUser('carol-at-work', 'Carol C', 'c@work.example.org'),
    );
    const dora = await server.addUser('dora', 'Dora D', 'd@example.org');
    await inWholeBrowser((whole) => {
      const openThere = (options) => open(options, whole);
      const tools = { server, check, open: openThere, inspect, authorize, callback: CALLBACK };
      return secondFactors(tools, dora, clients.portal);
    });
    await inGerman(await server.addUser('frida', 'Frida F', 'f@example.org'), clients.plain);
    const finn = await server.addUser('finn', 'Finn F', 'f@example.org');
    await developers({ server, check, open, inspect, expectHeaders, tabTo }, finn);
    await services({ server, check, open, inspect, tabTo }, await server.addUser('gil', 'Gil G', 'g@example.org'));
    const olga = await server.addUser('olga', 'Olga O', 'o@example.org', '--admin');
    const paul = await server.addUser('paul', 'Paul P', 'p@example.org');
    await operators({ server, check, open, inspect, expectHeaders, tabTo }, olga, paul);
    await hostileContent({ server, check, open, authorize, callback: CALLBACK }, olga);
    await mail(await server.addUser('erin', 'Erin E', 'e@example.org'), 'e@example.org');
  } finally {
    await browser.close();
    await server.stop();
    mailbox.close();
  }
}

try {
  await main();
} catch (error) {
  failures.push({ name: 'the run', error });
  console.error(error);
}
console.log(`screens are in ${screens}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length ? 1 : 0;
