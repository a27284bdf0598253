// Chromium as the suites use it, and the few steps that each of them takes in it.

import { chromium } from 'playwright-core';

export function launch() {
  const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
  return chromium.launch({
    executablePath,
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
