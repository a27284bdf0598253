// A person uses the sample portal in Chromium. A suite starts this with a JSON document on standard input. The stages:
// `sign-in` signs in at the server and keeps the browser's cookies; `portal` goes on with them at the portal.

import assert from 'node:assert/strict';
import { join } from 'node:path';

import { check, suite } from '../lib/checks.mjs';
import { decide, heading, launch, signIn } from './chromium.mjs';
import { faint, violations } from './eyes.mjs';

async function read(stream) {
  let text = '';
  for await (const part of stream) text += part;
  return JSON.parse(text);
}

const work = await read(process.stdin);

async function inspect(page, name) {
  await check(`${name}: no accessibility violation, light and dark, and readable at 320 px`, async () => {
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await violations(page);
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.deepEqual({ light, dark: await faint(page) }, { light: [], dark: [] });
    await page.setViewportSize({ width: 320, height: 640 });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    await page.screenshot({ path: join(work.screens, `${work.name.replace(' ', '-')}-${name}.png`), fullPage: true });
    await page.setViewportSize({ width: 1280, height: 900 });
    assert.ok(width <= 320, `${width} px wide`);
  });
}

async function keepSignedIn(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${work.auth}/v2/web/consents`);
  await check('a person signs in at the server', async () => {
    await signIn(page, work.person);
    await page.waitForURL((url) => url.pathname === '/v2/web/consents');
  });
  await context.storageState({ path: work.state });
}

async function usePortal(browser) {
  const context = await browser.newContext({ storageState: work.state });
  context.setDefaultTimeout(15_000);
  const [complaints, addresses] = [[], []];
  context.on('console', (message) => {
    if (/content security policy/i.test(message.text())) complaints.push(message.text());
  });
  context.on('request', (request) => addresses.push(request.url()));
  const page = await context.newPage();
  const atHome = () => page.waitForURL(`${work.portal}/`);
  const results = () => page.locator('#results li').allInnerTexts();
  const press = (name) => page.getByRole('button', { name, exact: true }).click();
  const scan = async (sample, findable) => {
    await page.fill('#sample', sample);
    await page.setChecked('#findable', findable);
    await press('Scan');
  };

  await page.goto(work.portal);
  await inspect(page, 'signed-out');
  await check('whoever is signed in at the server is asked what the portal may do, and nothing else', async () => {
    await page.getByRole('link', { name: 'Sign in' }).click();
    assert.match(await heading(page), new RegExp(`^${work.name} asks for your permission$`));
    const asked = await page.locator('main').innerText();
    for (const name of ['Run scans', 'Keep files', 'Make findable']) assert.ok(asked.includes(name), asked);
    await decide(page, 'allow');
    await atHome();
    assert.match(await page.locator('main').innerText(), /Signed in as Alice Example \(alice@portolan\.local\)/);
  });
  await inspect(page, 'signed-in');
  await check('its cookies are out of reach for scripts and for other sites', async () => {
    const cookies = (await context.cookies(work.portal)).filter(({ name }) => /^(portal|python)-/.test(name));
    assert.equal(cookies.length, 1, JSON.stringify(cookies.map(({ name }) => name)));
    assert.ok(cookies.every(({ httpOnly, sameSite }) => httpOnly && sameSite === 'Lax'));
    assert.equal(await page.evaluate(() => document.cookie), '');
  });
  await check('a scan goes through three services', async () => {
    await scan('quartz', true);
    await atHome();
    assert.deepEqual(await results(), ['quartz: scanned, archived and findable']);
  });

  await check('what is withdrawn is gone with the next call, and asked for again', async () => {
    await page.goto(`${work.auth}/v2/web/consents`);
    const name = page.getByRole('heading', { name: work.name, exact: true });
    const app = page.locator('section.app').filter({ has: name });
    await app.locator('li.scope', { hasText: 'Make findable' }).last().getByRole('link').click();
    assert.equal(await heading(page), 'Withdraw this part?');
    await page.click('main form button[type=submit]');
    await page.waitForURL(/notice=withdrawn/);
    await page.goto(work.portal);
    await scan('feldspar', false);
    await atHome();
    assert.equal((await results()).at(-1), 'feldspar: scanned and archived');
    await scan('mica', true);
    await page.waitForURL(/\/p\/consent/);
    assert.match(await page.locator('main').innerText(), /Make findable/);
  });
  await check('whoever does not allow it is told, and nothing is done', async () => {
    await decide(page, 'deny');
    await page.locator('.message, [role=status]').first().waitFor();
    assert.match(await page.locator('main').innerText(), /You did not allow it/);
    await page.goto(work.portal);
    assert.equal((await results()).length, 2);
  });
  await check('whoever allows it gets what they wanted, without asking again', async () => {
    await scan('mica', true);
    await page.waitForURL(/\/p\/consent/);
    await decide(page, 'allow');
    await atHome();
    assert.equal((await results()).at(-1), 'mica: scanned, archived and findable');
  });
  await check('a step that wants a fresh login gets one', async () => {
    await press('Calibrate');
    await page.waitForURL(/\/p\/login/);
    assert.match(await page.locator('main').innerText(), /Calibrating moves the machine/);
    await signIn(page, work.person);
    await atHome();
    assert.match((await results()).at(-1), /calibrated/i);
    await press('Calibrate');
    await atHome();
    assert.equal((await results()).length, 5, 'the second time the login is fresh');
  });

  const callback = addresses.findLast((address) => address.startsWith(`${work.portal}/callback?`));
  await check('an end of a login is good once, and in its browser only', async () => {
    const answer = await page.goto(callback);
    assert.equal(answer.status(), 400);
    assert.match(await page.locator('main').innerText(), /not begun in this browser/);
    const other = await browser.newContext();
    const elsewhere = await other.newPage();
    assert.equal((await elsewhere.goto(callback)).status(), 400);
    await elsewhere.goto(work.portal);
    assert.equal(await elsewhere.getByRole('link', { name: 'Sign in' }).count(), 1);
    // One that this browser did begin does not end with the answer to another login.
    const auth = { contentType: 'text/html', body: '<h1>Auth</h1>' };
    await elsewhere.route(`${work.auth}/**`, (route) => route.fulfill(auth));
    await elsewhere.goto(`${work.portal}/login`);
    assert.equal((await elsewhere.goto(callback)).status(), 400);
    await other.close();
  });
  await inspect(page, 'refused');
  await check('a form without the mark of the session is refused', async () => {
    for (const path of ['/scans', '/calibrations', '/logout']) {
      for (const mark of [undefined, 'guessed']) {
        const form = { sample: 'x', ...(mark && { form_token: mark }) };
        const answer = await context.request.post(`${work.portal}${path}`, { form, maxRedirects: 0 });
        assert.ok([403, 422].includes(answer.status()), `${path}: ${answer.status()}`);
      }
    }
    await page.goto(work.portal);
    assert.equal((await results()).length, 5);
  });

  await check('signing out ends the session here and, with a word, at the server', async () => {
    const before = await context.cookies(work.portal);
    await press('Sign out');
    await page.waitForURL(/\/v2\/web\/logout/);
    const kept = before.filter(({ name }) => name.endsWith('-session'));
    await context.addCookies(kept.map(({ name, value }) => ({ name, value, url: work.portal })));
    const back = await context.newPage();
    await back.goto(work.portal);
    assert.equal(await back.getByRole('link', { name: 'Sign in' }).count(), 1, 'an old cookie opens nothing');
    await back.close();
    await page.click('main form button[type=submit]');
    await page.getByRole('link', { name: `Continue to ${work.name}` }).click();
    await atHome();
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.waitForURL(/\/p\/login/);
  });
  await check('no address held a token, and no page broke its content security policy', async () => {
    assert.deepEqual(addresses.filter((address) => /AgP[AR]|id_token/.test(address)), []);
    assert.deepEqual(complaints, []);
  });
}

await suite(async () => {
  const browser = await launch();
  try {
    await { 'sign-in': keepSignedIn, portal: usePortal }[work.stage](browser);
  } finally {
    await browser.close();
  }
});
