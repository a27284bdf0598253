// An administrator of the server looks at every part of the console, switches a person off and on, gives an app a
// look, and takes the first steps.

import assert from 'node:assert/strict';

import { heading, signIn } from './chromium.mjs';

const CONSOLE = '/p/console';
// One red point, as PNG.
const POINT = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);

const submit = (page) => page.click('main form[method=post] button[type=submit]');

// `tools` are those of the suite of pages; `person` is somebody to be switched off.
export async function operators(tools, administrator, person) {
  const { server, check, open, inspect, expectHeaders, tabTo } = tools;
  const { context, page, complaints } = await open();
  await page.goto(`${server.url}${CONSOLE}`);
  await check('console: signing in comes first and leads there', async () => {
    assert.match(page.url(), /\/p\/login\?/);
    await signIn(page, administrator);
    await page.waitForURL((url) => url.pathname === CONSOLE);
  });
  await expectHeaders(await page.reload(), 'console');
  await inspect(page, 'console');
  for (const part of ['people', 'providers', 'providers/new?preset=generic', 'clients', 'audit', 'keys', 'keys/rotate', 'server']) {
    await page.goto(`${server.url}${CONSOLE}/${part}`);
    await inspect(page, `console-${part.split('?')[0].replaceAll('/', '-')}`);
  }
  await page.goto(`${server.url}${CONSOLE}/audit?since=tomorrow`);
  await inspect(page, 'console-audit-error');

  await check('console: somebody is found and switched off with the keyboard alone', async () => {
    await page.goto(`${server.url}${CONSOLE}/people`);
    await tabTo(page, '#q');
    await page.keyboard.type(person.name.slice(0, 3));
    await page.keyboard.press('Enter');
    await page.waitForURL(/[?&]q=/);
    await tabTo(page, `a[href="${CONSOLE}/people/${person.id}"]`);
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.pathname === `${CONSOLE}/people/${person.id}`);
    await tabTo(page, 'a[href$="/disable"]');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/disable$/);
    await inspect(page, 'console-confirm');
    await tabTo(page, '.button-danger');
    await page.keyboard.press('Enter');
    await page.waitForURL(/[?&]notice=disable/);
    assert.match(await page.locator('main').innerText(), /switched off/);
  });
  await inspect(page, 'console-person');
  await check('console: and switched on again', async () => {
    await page.getByRole('link', { name: 'Switch the account on' }).click();
    await submit(page);
    await page.waitForURL(/[?&]notice=enable/);
  });

  await check('first steps: address, project and app, commands', async () => {
    await page.goto(`${server.url}${CONSOLE}`);
    await page.getByRole('link', { name: /^First steps/ }).click();
    assert.match(await page.locator('main').innerText(), /Both are the same/);
    await inspect(page, 'first-address');
    await page.getByRole('link', { name: 'Next step' }).click();
    await inspect(page, 'first-app');
    await submit(page);
    await page.waitForURL(/\/p\/console\/setup\/token/);
    assert.equal(await heading(page), 'Get a token');
    await inspect(page, 'first-token');
  });
  await page.getByRole('link', { name: 'See the app' }).click();
  await page.getByRole('link', { name: 'Appearance' }).click();
  await inspect(page, 'appearance');
  await check('appearance: what cannot be read is refused', async () => {
    await page.fill('#band', '#777777');
    await page.click('button[value=save]');
    await page.locator('#band_text-error').waitFor();
    assert.match(await page.locator('#band_text-error').innerText(), /4\.47/);
  });
  await inspect(page, 'appearance-error');
  await check('appearance: a look is tried, then saved', async () => {
    await page.fill('#band', '#7a1f2b');
    await page.setInputFiles('#logo', { name: 'logo.png', mimeType: 'image/png', buffer: POINT });
    await page.click('button[value=try]');
    await page.getByText('Nobody else sees it').waitFor();
    assert.equal(await page.locator('.skin-logo').count(), 1);
    const colour = await page.locator('.skin').evaluate((band) => getComputedStyle(band).backgroundColor);
    assert.equal(colour, 'rgb(122, 31, 43)');
    await inspect(page, 'appearance-tried');
    await page.click('button[value=save]');
    await page.waitForURL(/[?&]notice=saved/);
  });
  await inspect(page, 'appearance-saved');
  await check('no page of the console broke its own content security policy', async () =>
    assert.deepEqual(complaints, []),
  );
  await context.close();

  await check('without JavaScript: an account is switched off and on', async () => {
    const { context, page } = await open({ javaScriptEnabled: false });
    await page.goto(`${server.url}${CONSOLE}/people/${person.id}/disable`);
    await signIn(page, administrator);
    await submit(page);
    await page.waitForURL(/[?&]notice=disable/);
    await page.getByRole('link', { name: 'Switch the account on' }).click();
    await submit(page);
    await page.waitForURL(/[?&]notice=enable/);
    await context.close();
  });
}
