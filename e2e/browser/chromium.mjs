// Chromium as the suites use it, and the few steps that each of them takes in it.

import assert from 'node:assert/strict';

import { chromium } from 'playwright-core';

// Chromium without its own windows, where there is one: it takes half the time for the same pages.
export function launch() {
  return start(process.env.HEADLESS_SHELL || process.env.CHROMIUM);
}

// The whole Chromium, which alone offers passkeys in the list of usernames, for as long as the action takes.
export async function inWholeBrowser(action) {
  const browser = await start(process.env.CHROMIUM);
  try {
    await action(browser);
  } finally {
    await browser.close();
  }
}

function start(executablePath) {
  return chromium.launch({
    executablePath: executablePath || '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export async function signIn(page, person) {
  await page.fill('input[name=username]', person.username);
  await page.fill('input[name=password]', person.password);
  await page.click('form:has(input[name=password]) button[type=submit]:not([name])');
}

export async function decide(page, decision) {
  await page.click(`button[name=decision][value=${decision}]`);
}

// Reads the code as a person does: from the page, not from the address.
export async function readCode(page) {
  await page.waitForURL((url) => url.pathname === '/v2/web/auth-code');
  const code = new URL(page.url()).searchParams.get('code');
  const shown = (await page.locator('#code').innerText()).trim();
  if (!code || shown !== code) throw new Error(`the display page shows ${JSON.stringify(shown)}`);
  return shown;
}

export async function heading(page) {
  return (await page.locator('h1').first().innerText()).replace(/\s+/g, ' ').trim();
}

// Presses Tab until the element has the focus; each stop on the way must be visible to the eye.
export async function tabTo(page, selector) {
  for (let presses = 0; presses < 60; presses += 1) {
    const here = await page.evaluate((wanted) => {
      const node = document.activeElement;
      if (!node || node === document.body) return { found: false, body: true };
      const style = getComputedStyle(node);
      const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
      return {
        found: node.matches(wanted),
        visible: outlined || style.boxShadow !== 'none',
        html: node.outerHTML.slice(0, 120),
      };
    }, selector);
    if (!here.body) assert.ok(here.visible, `the focus cannot be seen on ${here.html}`);
    if (here.found) return presses;
    await page.keyboard.press('Tab');
  }
  throw new Error(`the keyboard does not reach ${selector}`);
}

// Answers in place of other hosts. The debugging protocol does that for redirects too; `page.route` does not.
export async function standInFor(page, ...origins) {
  const protocol = await page.context().newCDPSession(page);
  protocol.on('Fetch.requestPaused', ({ requestId }) => {
    const body = Buffer.from('<!doctype html><title>Portal</title><h1>Arrived</h1>').toString('base64');
    const responseHeaders = [{ name: 'Content-Type', value: 'text/html' }];
    protocol.send('Fetch.fulfillRequest', { requestId, responseCode: 200, responseHeaders, body }).catch(() => {});
  });
  await protocol.send('Fetch.enable', { patterns: origins.map((origin) => ({ urlPattern: `${origin}/*` })) });
}
