// A developer makes a project, an app and a secret in the browser, uses the secret, and takes all of it away again.

import assert from 'node:assert/strict';

import { run } from '../lib/portolan.mjs';
import { heading, signIn } from './chromium.mjs';

const AREA = '/p/developers';
const LONG = `${'מצפן'.repeat(10)} ${'unbroken'.repeat(26)}`.slice(0, 255);

const submit = (page) => page.click('main form[method=post] button[type=submit]');
const idOf = (page) => new URL(page.url()).pathname.split('/').at(-1);

async function follow(page, name) {
  await page.getByRole('link', { name }).click();
}

// What the browser would say itself is left to the server, so that its words are seen.
async function submitUnchecked(page) {
  await page.evaluate(() => (document.querySelector('main form[method=post]').noValidate = true));
  await submit(page);
  await page.locator('[role=alert]').waitFor();
}

// `tools` are those of the suite of pages: its server, its checks, and how it opens and inspects a page.
export async function developers(tools, person) {
  const { server, check, open, inspect, expectHeaders, tabTo } = tools;

  async function token(client, secret) {
    const basic = Buffer.from(`${client}:${secret}`).toString('base64');
    return fetch(`${server.url}/v2/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'openid' }),
    });
  }

  const { context, page, complaints } = await open();
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.url });
  await page.goto(`${server.url}${AREA}`);
  await check('developers: signing in comes first and leads to the projects', async () => {
    assert.match(page.url(), /\/p\/login\?/);
    await signIn(page, person);
    await page.waitForURL((url) => url.pathname === AREA);
    assert.match(await page.locator('main').innerText(), /You have no project yet/);
  });
  await expectHeaders(await page.reload(), 'developers');
  await inspect(page, 'developers-empty');

  await check('developers: a project is made with the keyboard alone', async () => {
    await tabTo(page, 'main .button-primary');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'New project' }).waitFor();
    await inspect(page, 'project-new');
    await tabTo(page, '#display_name');
    await page.keyboard.type('Beamline 7');
    assert.equal(await page.inputValue('#contact_email'), person.email);
    await page.keyboard.press('Enter');
    await page.waitForURL(/[?&]notice=created/);
    assert.equal(await heading(page), 'Beamline 7');
  });
  await inspect(page, 'project-created');
  const project = new URL(page.url()).pathname;

  await follow(page, 'New app');
  await inspect(page, 'app-new');
  await check('developers: a bad address is named with its line and what was typed is kept', async () => {
    await page.fill('#name', 'Night Watch');
    await page.check('#type-client_identity');
    await page.fill('#redirect_uris', 'https://a.example/cb\nhttp://a.example/cb');
    await submitUnchecked(page);
    assert.match(await page.locator('#redirect_uris-error').innerText(), /^Line 2, http:\/\/a\.example\/cb:/);
    assert.equal(await page.inputValue('#redirect_uris'), 'https://a.example/cb\nhttp://a.example/cb');
    assert.ok(await page.isChecked('#type-client_identity'));
  });
  await inspect(page, 'app-new-error');
  await check('developers: a service account is registered', async () => {
    await page.fill('#redirect_uris', '');
    await submit(page);
    await page.waitForURL(/[?&]notice=created/);
    assert.match(await page.locator('main').innerText(), /The app is registered[\s\S]*make a secret/);
  });
  await inspect(page, 'app-created');
  const app = new URL(page.url()).pathname;
  const client = idOf(page);

  await follow(page, 'Make a secret');
  await inspect(page, 'secret-new');
  await page.fill('#name', 'instrument');
  await submit(page);
  await page.getByRole('heading', { name: 'Your new secret' }).waitFor();
  await inspect(page, 'secret-shown');
  const secret = (await page.locator('#secret').innerText()).trim();
  await check('developers: the secret is copied by its button', async () => {
    await page.getByRole('button', { name: 'Copy the secret' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  });
  await check('developers: the secret gets a token', async () => {
    const answer = await token(client, secret);
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).scope, 'openid');
  });
  await check('developers: loading the page of the secret again makes no second one', async () => {
    await page.reload();
    await page.waitForURL(/[?&]notice=secret-made/);
    assert.equal(await page.getByRole('link', { name: /^Delete… / }).count(), 1);
    assert.ok(!(await page.content()).includes(secret), 'it is still shown');
  });
  await inspect(page, 'app');
  await check('developers: the commands of the page work as they are', async () => {
    const text = await page.locator('#try-curl').innerText();
    assert.ok(text.includes(client) && text.includes(server.url), text);
    const tried = await run('bash', ['-c', text], { stdin: `${secret}\n` });
    assert.equal(tried.status, 0, tried.stderr);
    assert.match(tried.stdout, /"access_token":"Ag/);
  });

  await check('developers: the account becomes an admin of the project and is removed again', async () => {
    await follow(page, 'Make it an admin of this project');
    assert.equal(await page.inputValue('#who'), client);
    await inspect(page, 'project-admin-new');
    await submit(page);
    await page.waitForURL(/[?&]notice=admin-added/);
    await page.getByText('service account').first().waitFor();
    await follow(page, new RegExp(`^Remove… ${client}`));
    await inspect(page, 'project-admin-remove');
    await submit(page);
    await page.waitForURL(/[?&]notice=admin-removed/);
  });
  await check('developers: the last admin is not removed', async () => {
    await follow(page, new RegExp(`^Remove… ${person.username}`));
    assert.match(await page.locator('main').innerText(), /is the last admin/);
    assert.equal(await page.locator('main form').count(), 0);
  });
  await inspect(page, 'project-admin-last');

  await page.goto(`${server.url}${app}/edit`);
  await inspect(page, 'app-edit');
  await check('developers: the longest name fits everywhere', async () => {
    await page.fill('#name', LONG);
    await submit(page);
    await page.waitForURL(/[?&]notice=changed/);
  });
  await inspect(page, 'app-long-name');
  await page.goto(`${server.url}${project}`);
  await inspect(page, 'project');
  await follow(page, 'Delete the project');
  await inspect(page, 'project-delete-full');
  await page.goto(`${server.url}${AREA}`);
  await inspect(page, 'developers');

  await page.goto(`${server.url}${app}`);
  await check('developers: a secret ends at once', async () => {
    await follow(page, /^Delete… instrument/);
    await inspect(page, 'secret-delete');
    await submit(page);
    await page.waitForURL(/[?&]notice=secret-deleted/);
    assert.equal((await token(client, secret)).status, 401);
  });
  await check('developers: app and project are deleted', async () => {
    await follow(page, 'Delete the app');
    await inspect(page, 'app-delete');
    await submit(page);
    await page.waitForURL(/[?&]notice=app-deleted/);
    await follow(page, 'Delete the project');
    await inspect(page, 'project-delete');
    await submit(page);
    await page.waitForURL(/[?&]notice=deleted/);
    assert.match(await page.locator('main').innerText(), /You have no project yet/);
  });
  await check('no page of the developer area broke its own content security policy', async () =>
    assert.deepEqual(complaints, []),
  );
  await context.close();

  await check('without JavaScript: a project, an app and a secret are made, used and deleted', async () => {
    const { context, page } = await open({ javaScriptEnabled: false });
    const noDeadButtons = async () => {
      const dead = await page.locator('button:visible:not([type=submit])').count();
      assert.equal(dead, 0, `a button that does nothing is shown on ${page.url()}`);
    };
    await page.goto(`${server.url}${AREA}/projects/new`);
    await signIn(page, person);
    await page.waitForURL((url) => url.pathname === `${AREA}/projects/new`);
    await page.fill('#display_name', 'Without script');
    await submit(page);
    await follow(page, 'New app');
    await page.fill('#name', 'Plain');
    await page.check('#type-confidential_client');
    await page.fill('#redirect_uris', 'https://plain.example/cb');
    await page.click('summary');
    await page.fill('#preselect_idp', 'portolan.local');
    await submit(page);
    await page.waitForURL(/[?&]notice=created/);
    await noDeadButtons();
    const client = idOf(page);
    await follow(page, 'Make a secret');
    await page.fill('#name', 'plain');
    await submit(page);
    await page.getByRole('heading', { name: 'Your new secret' }).waitFor();
    await noDeadButtons();
    const secret = (await page.locator('#secret').innerText()).trim();
    assert.equal((await token(client, secret)).status, 200);
    await follow(page, 'I have kept it');
    await follow(page, 'Delete the app');
    await submit(page);
    await follow(page, 'Delete the project');
    await submit(page);
    await page.waitForURL(/[?&]notice=deleted/);
    assert.equal((await token(client, secret)).status, 401);
    await context.close();
  });
}
