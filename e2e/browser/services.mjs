// Scopes, domain names and policies in the developer area, page by page and state by state, in Chromium.

import assert from 'node:assert/strict';

import { heading, signIn } from './chromium.mjs';

// `tools` are those of the suite of pages: its server, its checks, and how it opens and inspects a page.
export async function services(tools, person) {
  const { server, check, open, inspect, tabTo } = tools;
  const { context, page, complaints } = await open();
  const here = (path) => `${server.url}${path}`;
  const submit = () => Promise.all([page.waitForEvent('load'), page.click('main form .actions button.button-primary')]);

  await page.goto(here('/p/developers/projects/new'));
  await signIn(page, person);
  await page.fill('[name=display_name]', 'Harbour services');
  await page.fill('[name=contact_email]', 'harbour@example.org');
  await submit();
  const project = new URL(page.url()).pathname;
  await page.goto(here(`${project}/apps/new`));
  await page.fill('[name=name]', 'Tide gauge');
  await page.check('[name=client_type][value*=hybrid]');
  await page.fill('[name=redirect_uris]', 'https://localhost');
  await submit();
  const app = new URL(page.url()).pathname;

  await page.goto(here(`${app}/scopes`));
  await inspect(page, 'scopes-none');
  await page.goto(here(`${app}/scopes/new`));
  await inspect(page, 'scope-new');
  await check('scopes: what is wrong is tied to its field, and nothing is lost', async () => {
    await page.fill('[name=suffix]', 'Not This');
    await page.fill('[name=name]', 'Read the tide');
    await page.fill('[name=description]', 'How high the water is\nright now');
    await page.uncheck('[name=refresh]');
    await submit();
    assert.match(await page.title(), /error/i);
    assert.equal(await page.getAttribute('[name=suffix]', 'aria-invalid'), 'true');
    assert.equal(await page.inputValue('[name=description]'), 'How high the water is\nright now');
    assert.equal(await page.isChecked('[name=refresh]'), false);
  });
  await inspect(page, 'scope-new-refused');
  await check('scopes: by keyboard alone, with a dependent scope found, added and saved', async () => {
    await page.goto(here(`${app}/scopes/new`));
    await page.keyboard.type('read_tide');
    await tabTo(page, '[name=name]');
    await page.keyboard.type('Read the tide');
    await tabTo(page, '[name=description]');
    await page.keyboard.type('How high the water is');
    await tabTo(page, '[name=search]');
    await page.keyboard.type('groups');
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    assert.equal(await page.evaluate(() => document.activeElement.name), 'search', 'the page begins where it was left');
  });
  await inspect(page, 'scope-new-found');
  await check('scopes: a choice is kept until it is saved', async () => {
    await tabTo(page, '[name=add]');
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    await page.check('[name=dependency_optional]');
    await page.fill('[name=search]', '');
    await tabTo(page, 'button[name=do][value=save]');
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    assert.equal(await heading(page), 'Scopes');
    assert.match(await page.locator('main').innerText(), /The scope has been made[\s\S]*Read the tide[\s\S]*one scope/);
  });
  await inspect(page, 'scopes');
  await page.locator('main .scope a').first().click();
  await inspect(page, 'scope-change');
  await page.goto(`${page.url()}/delete`);
  await check('scopes: deleting says what ends', async () => {
    assert.match(await page.locator('main').innerText(), /Nobody has allowed it so far/);
  });
  await inspect(page, 'scope-delete');

  await page.goto(here(`${app}/domains`));
  await inspect(page, 'domains');
  await check('domains: what is no name is explained at its field', async () => {
    await page.fill('[name=fqdn]', 'localhost');
    await submit();
    assert.equal(await page.getAttribute('[name=fqdn]', 'aria-invalid'), 'true');
  });
  await inspect(page, 'domains-refused');

  await page.goto(here(`${project}/policies`));
  await inspect(page, 'policies-none');
  await page.goto(here(`${project}/policies/new`));
  await inspect(page, 'policy-new');
  await check('policies: what is wrong is tied to its field', async () => {
    await page.fill('[name=name]', 'Campus only');
    await page.fill('[name=description]', 'Tide tables are protected data');
    await page.fill('[name=timeout]', 'soon');
    await page.selectOption('[name=timeout_unit]', 'hours');
    await page.fill('[name=include]', 'portolan.local');
    await submit();
    assert.equal(await page.getAttribute('[name=timeout]', 'aria-invalid'), 'true');
    assert.equal(await page.inputValue('[name=timeout_unit]'), 'hours');
  });
  await inspect(page, 'policy-new-refused');
  await page.fill('[name=timeout]', '2');
  await page.check('[name=high_assurance]');
  await submit();
  await inspect(page, 'policies');
  await page.getByRole('link', { name: /^Try who would pass/ }).click();
  await check('policies: whoever looks passes, and somebody from elsewhere does not', async () => {
    assert.match(await page.locator('main').innerText(), /You would pass/);
    await page.fill('[name=who]', 'bob@elsewhere.org');
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    assert.match(await page.locator('main').innerText(), /An account with this name would not pass/);
  });
  await inspect(page, 'policy-trial-somebody');
  await page.goto(page.url().split('?')[0]);
  await inspect(page, 'policy-trial');
  await page.goto(page.url().replace(/\/try$/, ''));
  await inspect(page, 'policy-change');
  await page.goto(`${page.url()}/delete`);
  await inspect(page, 'policy-delete');

  await check('services: no page broke its own content security policy', async () => assert.deepEqual(complaints, []));
  await context.close();
}
