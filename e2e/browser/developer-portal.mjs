// A developer in the developer portal: steps of the action-provider guide, done in Chromium and nowhere else. A suite
// starts it with a JSON document on its standard input (what to do, where, and as whom) and reads one from its
// standard output.

import assert from 'node:assert/strict';

import { heading, launch, signIn } from './chromium.mjs';

async function read(stream) {
  let text = '';
  for await (const part of stream) text += part;
  return JSON.parse(text);
}

async function submit(page) {
  await Promise.all([page.waitForEvent('load'), page.click('main form .actions button[type=submit]')]);
}

async function follow(page, selector) {
  await Promise.all([page.waitForEvent('load'), page.click(selector)]);
}

// Steps 1 to 3: a project, an app with a secret, a scope that needs the groups of whoever calls.
async function register(page, { url, name, search }) {
  await follow(page, 'main a[href="/p/developers/projects/new"]');
  await page.fill('[name=display_name]', `Project of ${name}`);
  await page.fill('[name=contact_email]', 'beamline@example.org');
  await submit(page);
  assert.equal(await heading(page), `Project of ${name}`);

  await follow(page, 'main a[href$="/apps/new"]');
  await page.fill('[name=name]', name);
  await page.check('[name=client_type][value*=hybrid]');
  await page.fill('[name=redirect_uris]', 'https://localhost');
  await submit(page);
  assert.equal(await heading(page), name);
  const clientId = (await page.locator('#client-id').innerText()).trim();

  await follow(page, 'main a[href$="/secrets"]');
  await page.fill('[name=name]', 'first');
  await submit(page);
  const clientSecret = (await page.locator('#secret').innerText()).trim();
  await follow(page, 'main .actions a.button-primary');

  await follow(page, 'main a[href$="/scopes"]');
  await follow(page, 'main a[href$="/scopes/new"]');
  await page.fill('[name=suffix]', 'action_all');
  await page.fill('[name=name]', 'Run beamline actions');
  await page.fill('[name=description]', 'All operations of the action provider');
  await page.check('[name=advertised]');
  assert.ok(await page.isChecked('[name=refresh]'), 'what is monitored by Flows has to allow refresh tokens');
  await page.fill('[name=search]', search);
  await Promise.all([page.waitForEvent('load'), page.press('[name=search]', 'Enter')]);
  assert.equal(await page.inputValue('[name=suffix]'), 'action_all', 'what was typed is lost');
  await follow(page, 'main button[name=add]');
  const [dependency] = await page.locator('[name=dependency]').evaluateAll((nodes) => nodes.map((node) => node.value));
  await page.check(`[name=dependency_refresh][value="${dependency}"]`);
  await follow(page, 'main button[name=do][value=save]');
  const scope = (await page.locator('main .scope code').first().innerText()).trim();
  const links = await page.locator('main .scope a').evaluateAll((nodes) => nodes.map((node) => node.pathname));
  const scopeId = links[0].split('/').at(-1);
  assert.ok(scope.startsWith('https://auth.globus.org/scopes/'), `${scope} at ${url}`);
  return { client_id: clientId, client_secret: clientSecret, scope, scope_id: scopeId, dependency };
}

// A domain name: what the page says to it, and which record it wants.
async function domain(page, { url, client_id: clientId, fqdn }) {
  await page.goto(`${url}/p/developers/apps/${clientId}/domains`);
  await page.fill('[name=fqdn]', fqdn);
  await submit(page);
  const refused = await page.locator('#fqdn-error').count();
  return {
    registered: refused === 0,
    record: (await page.locator('main pre').innerText()).trim(),
    text: (await page.locator('main').innerText()).replace(/\s+/g, ' '),
  };
}

const work = await read(process.stdin);
const browser = await launch();
try {
  const context = await browser.newContext({ javaScriptEnabled: work.script });
  context.setDefaultTimeout(15_000);
  const complaints = [];
  context.on('console', (message) => {
    if (/content security policy/i.test(message.text())) complaints.push(message.text());
  });
  const page = await context.newPage();
  await page.goto(`${work.url}/p/developers`);
  await Promise.all([page.waitForURL(/\/p\/developers$/), signIn(page, work.person)]);
  const done = await { register, domain }[work.step](page, work);
  assert.deepEqual(complaints, []);
  console.log(JSON.stringify(done));
} finally {
  await browser.close();
}
