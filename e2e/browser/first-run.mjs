// From an empty folder to a token: the server starts, the first administrator opens the one-time link in Chromium,
// adds a person, and that person logs in with globus-cli. Prints the seconds, and fails without a token.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { Server, newPassword, run, workFolder } from '../lib/portolan.mjs';
import { decide, heading, launch, readCode, signIn } from './chromium.mjs';

const GLOBUS = process.env.GLOBUS;
assert.ok(GLOBUS && existsSync(GLOBUS), 'GLOBUS must name the globus command of the venv with globus-cli');

const steps = [];
const began = performance.now();
function step(name) {
  steps.push({ name, at: (performance.now() - began) / 1000 });
}

async function globusLogin(environment, browser, person) {
  const child = spawn(GLOBUS, ['login', '--no-local-server'], { env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let said = '';
  const link = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`globus login gave no link:\n${said}`)), 60_000);
    const hear = (part) => {
      said += part;
      const found = said.match(/^(https?:\/\/\S+\/v2\/oauth2\/authorize\?\S+)\s/m);
      if (found) {
        clearTimeout(timer);
        resolve(found[1]);
      }
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    ended.then(() => reject(new Error(`globus login ended without a link:\n${said}`)));
  });
  step('globus login prints its link');

  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(link);
  await signIn(page, person);
  await page.locator('button[name=decision][value=allow]').waitFor();
  await decide(page, 'allow');
  const code = await readCode(page);
  await context.close();
  step('the person has signed in, allowed it and reads the code');

  child.stdin.end(code + '\n');
  assert.equal(await ended, 0, said);
  step('globus login is done');
}

async function main() {
  const directory = workFolder('first-run');
  const server = new Server(directory);
  const launching = launch();
  let browser;
  try {
    await server.start();
    step('ready');

    const [link] = await server.line(/https?:\/\/\S+\/p\/setup\/\S+/);
    browser = await launching;
    const page = await (await browser.newContext()).newPage();
    await page.goto(link);
    const administrator = { username: 'admin', password: newPassword() };
    await page.fill('input[name=username]', administrator.username);
    await page.fill('input[name=name]', 'Ada Admin');
    await page.fill('input[name=email]', 'admin@example.org');
    await page.fill('input[name=password]', administrator.password);
    await page.fill('input[name=password_again]', administrator.password);
    await Promise.all([
      page.waitForLoadState('load'),
      page.click('form:has(input[name=password_again]) button[type=submit]'),
    ]);
    await page.locator('input[name=password_again]').waitFor({ state: 'detached' });
    step('the first administrator is set up');
    const done = await heading(page);

    const alice = await server.addUser('alice', 'Alice A', 'a@example.org');
    step('a person is added');

    const home = join(directory, 'home');
    mkdirSync(home);
    const kept = Object.entries(process.env).filter(([name]) => !/^(GLOBUS|PORTOLAN_|SSH_)/.test(name));
    const environment = { ...Object.fromEntries(kept), HOME: home, GLOBUS_SDK_SERVICE_URL_AUTH: server.baseUrl };
    await globusLogin(environment, browser, alice);

    const who = await run(GLOBUS, ['whoami'], { env: environment });
    assert.equal(who.status, 0, who.stderr);
    assert.equal(who.stdout.trim(), alice.username);

    const store = join(home, '.globus', 'cli', 'storage.db');
    const reader =
      'import sqlite3, json, sys\n' +
      'q = "SELECT token_data_json FROM token_storage WHERE resource_server = \'auth.globus.org\'"\n' +
      'print(json.loads(sqlite3.connect(sys.argv[1]).execute(q).fetchone()[0])["access_token"])';
    const read = await run(join(dirname(GLOBUS), 'python'), ['-c', reader, store]);
    assert.equal(read.status, 0, read.stderr);
    const token = read.stdout.trim();
    assert.match(token, /^Ag[A-Za-z0-9]{30,}$/);
    const answer = await fetch(`${server.url}/v2/oauth2/userinfo`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).sub, alice.id);
    step('the token answers for the person');
    const seconds = steps.at(-1).at;

    // The clock has stopped; what follows makes sure that the way in was the only one.
    assert.match(done, /\S/);
    const second = await (await browser.newContext()).newPage();
    const reopened = await second.goto(link);
    assert.ok(reopened.status() >= 400, `the set-up link answers ${reopened.status()} a second time`);
    assert.equal(await second.locator('input[name=password_again]').count(), 0);
    assert.ok(readdirSync(server.data).length > 0);

    let last = 0;
    for (const { name, at } of steps) {
      console.log(`${at.toFixed(2).padStart(7)} s  (+${(at - last).toFixed(2)})  ${name}`);
      last = at;
    }
    console.log(`first run: ${seconds.toFixed(1)} s from start to token`);
  } finally {
    await (await launching.catch(() => undefined))?.close();
    await server.stop();
  }
}

try {
  await main();
  console.log('1 passed, 0 failed');
} catch (error) {
  console.error(error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
