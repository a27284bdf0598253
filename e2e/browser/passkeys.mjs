// Second factors in Chromium: its virtual authenticator is a security key or the lock of the device, with and without
// user verification, and keeps keys that can be found without a username, or none.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';

import { signIn } from './chromium.mjs';

const SECURITY = '/p/account/security';

// The lock of a device, which knows its owner, and a security key that anybody may press.
export const LOCK = { transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true };
const KEY = { transport: 'usb', hasResidentKey: false, hasUserVerification: false, isUserVerified: false };

// Whether the key can be found without a username, and whether it finds out who is using it. Only one that does both
// signs in alone.
const KINDS = [
  { name: 'resident, with user verification', options: LOCK, alone: true },
  {
    name: 'resident, without user verification',
    options: { ...LOCK, hasUserVerification: false, isUserVerified: false },
  },
  {
    name: 'not resident, with user verification',
    options: { ...KEY, hasUserVerification: true, isUserVerified: true },
  },
  { name: 'not resident, without user verification', options: KEY },
];

export async function plugIn(page, options) {
  const protocol = await page.context().newCDPSession(page);
  await protocol.send('WebAuthn.enable');
  const { authenticatorId } = await protocol.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', ctap2Version: 'ctap2_1', automaticPresenceSimulation: true, ...options },
  });
  const credentials = async () => (await protocol.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  const setVerified = (isUserVerified) =>
    protocol.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
  const setTouched = (enabled) =>
    protocol.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
  return { credentials, setVerified, setTouched };
}

// Notes with what mediation the pages ask for passkeys.
async function noteMediation(page) {
  await page.addInitScript(() => {
    const get = CredentialsContainer.prototype.get;
    globalThis.mediations = [];
    CredentialsContainer.prototype.get = function (options) {
      globalThis.mediations.push(options.mediation ?? 'modal');
      return get.call(this, options);
    };
  });
}

const mediations = (page) => page.evaluate(() => globalThis.mediations);

async function conditionalAsked(page) {
  await page.waitForFunction(() => globalThis.mediations.length > 0);
  assert.deepEqual(await mediations(page), ['conditional']);
}

// What an authenticator app shows (RFC 6238).
export function oneTimeCode(secret, steps = 0) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret.replaceAll(' ', '')].map((c) => letters.indexOf(c).toString(2).padStart(5, '0')).join('');
  const seed = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac('sha1', seed).update(counter).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

// As in a browser that cannot offer passkeys in the list of usernames: only the button asks for one.
async function withoutList(page) {
  await page.addInitScript(() => {
    delete globalThis.PublicKeyCredential?.isConditionalMediationAvailable;
  });
}

async function signedIn(page) {
  await page.locator('.signed-in').waitFor();
}

async function addPasskey(page, server, name) {
  await page.goto(`${server.url}${SECURITY}/passkeys`);
  await page.fill('input[name=name]', name);
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('The passkey was added.').waitFor();
}

async function removeLast(page, server, person) {
  await page.goto(`${server.url}${SECURITY}`);
  await page.getByRole('link', { name: /^Remove/ }).first().click();
  await page.getByText('This is your last second factor').waitFor();
  await page.fill('input[name=password_now]', person.password);
  await page.getByRole('button', { name: 'Remove it' }).click();
  await page.getByText('It was removed.').waitFor();
}

// `tools` are those of the suite of pages: its server, its checks, and how it opens and inspects a page.
export async function secondFactors(tools, person, client) {
  const { server, check, open, inspect, authorize } = tools;
  const demanding = authorize(client, 'openid', tools.callback, { session_required_mfa: 'true' });

  await check('passkeys: one in the lock of the device signs in without a password', async () => {
    const { context, page, complaints } = await open();
    await withoutList(page);
    await noteMediation(page);
    const lock = await plugIn(page, LOCK);
    await page.goto(`${server.url}/p/login`);
    await signIn(page, person);
    await signedIn(page);
    await addPasskey(page, server, 'Laptop');
    assert.equal((await lock.credentials())[0].isResidentCredential, true);
    await inspect(page, 'security');

    await context.clearCookies();
    await page.goto(`${server.url}/p/login`);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await signedIn(page);

    await context.clearCookies();
    await lock.setVerified(false);
    await page.goto(`${server.url}/p/login`);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.locator('[data-passkey-status]:not(:empty)').waitFor();
    assert.deepEqual(await mediations(page), ['modal']);
    await lock.setVerified(true);
    await signIn(page, person);
    await page.getByRole('heading', { name: 'Second step' }).waitFor();
    await page.getByRole('button', { name: /Use a passkey/ }).click();
    await signedIn(page);
    await removeLast(page, server, person);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  await check('passkeys: a security key without user verification is asked for after the password', async () => {
    const { context, page, complaints } = await open();
    const key = await plugIn(page, KEY);
    await page.goto(`${server.url}/p/login`);
    await signIn(page, person);
    await signedIn(page);
    await addPasskey(page, server, 'Blue key');
    assert.equal((await key.credentials())[0].isResidentCredential, false);

    await page.goto(demanding);
    await signIn(page, person);
    await page.getByRole('heading', { name: 'Second step' }).waitFor();
    await inspect(page, 'second-step');
    await page.getByRole('button', { name: /Use a passkey/ }).click();
    await page.locator('button[name=decision][value=allow]').waitFor();
    await removeLast(page, server, person);

    await context.clearCookies();
    await page.goto(demanding);
    await signIn(page, person);
    await page.getByRole('link', { name: 'Set up a second factor' }).click();
    await page.waitForURL(`${server.url}${SECURITY}`);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  await check('passkeys: the list of usernames offers one, and choosing it there signs in without a click', async () => {
    const { context, page, complaints } = await open();
    await noteMediation(page);
    const lock = await plugIn(page, LOCK);
    await page.goto(`${server.url}/p/login`);
    await signIn(page, person);
    await signedIn(page);
    await addPasskey(page, server, 'Laptop');

    await context.clearCookies();
    await lock.setTouched(false);
    await page.goto(`${server.url}/p/login`);
    await conditionalAsked(page);
    // While it waits there, the page is as usable as without it.
    await page.fill('input[name=username]', 'somebody');
    assert.equal(new URL(page.url()).pathname, '/p/login');

    await lock.setTouched(true);
    await page.reload();
    await signedIn(page);
    await removeLast(page, server, person);

    // The lock still has the passkey that was removed here. It is used once; a lock that is touched for ever would
    // offer it to the page of the refusal again.
    await context.clearCookies();
    await page.route('**/p/login/passkey', async (route) => {
      await lock.setTouched(false);
      await route.continue();
    });
    await page.goto(`${server.url}/p/login`);
    await page.getByText('This passkey was not accepted.').waitFor();
    await signIn(page, person);
    await signedIn(page);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  for (const { name, options, alone = false } of KINDS) {
    await check(`passkeys: ${name}: made, signed in with, asked for by an app, removed`, async () => {
      const { context, page, complaints } = await open();
      await noteMediation(page);
      const key = await plugIn(page, options);
      await page.goto(`${server.url}/p/login`);
      await signIn(page, person);
      await signedIn(page);
      await addPasskey(page, server, 'Key');
      assert.equal((await key.credentials())[0].isResidentCredential, options.hasResidentKey);
      const words = alone ? 'Signs you in without a password.' : 'Used after the password.';
      await page.getByText(words).waitFor();

      // An app that demands two factors does not take the password of before for them.
      await key.setTouched(false);
      await page.goto(demanding);
      if (alone) await conditionalAsked(page);
      await signIn(page, person);
      await page.getByRole('heading', { name: 'Second step' }).waitFor();
      await key.setTouched(true);
      await page.getByRole('button', { name: /Use a passkey/ }).click();
      await page.locator('button[name=decision][value=allow]').waitFor();

      await context.clearCookies();
      await page.goto(`${server.url}/p/login`);
      if (!alone) {
        // The browser has nothing that it could offer in the list of usernames.
        await signIn(page, person);
        await page.getByRole('heading', { name: 'Second step' }).waitFor();
        await page.getByRole('button', { name: /Use a passkey/ }).click();
      }
      await signedIn(page);
      await removeLast(page, server, person);
      await context.clearCookies();
      await key.setTouched(false);
      await page.goto(`${server.url}/p/login`);
      await signIn(page, person);
      await signedIn(page);
      assert.deepEqual(complaints, []);
      await context.close();
    });
  }

  await check('one-time codes without JavaScript: set up, asked for, recovered from', async () => {
    const { context, page } = await open({ javaScriptEnabled: false });
    await page.goto(`${server.url}/p/login`);
    await signIn(page, person);
    await page.goto(`${server.url}${SECURITY}`);
    await page.getByRole('button', { name: 'Set up an app' }).click();
    const secret = await page.locator('code.code').innerText();
    await page.fill('input[name=otp]', oneTimeCode(secret));
    await page.getByRole('button', { name: 'Use this app' }).click();
    await page.getByText('The authenticator app is set up.').waitFor();
    await page.getByRole('link', { name: 'Make recovery codes' }).click();
    await page.getByRole('button', { name: 'Make new codes' }).click();
    const codes = await page.locator('.code-list code').allInnerTexts();
    assert.equal(codes.length, 10);

    await context.clearCookies();
    await page.goto(`${server.url}/p/login`);
    await signIn(page, person);
    await page.fill('input[name=otp]', oneTimeCode(secret, 1));
    await page.getByRole('button', { name: 'Continue' }).click();
    await signedIn(page);

    await context.clearCookies();
    await page.goto(`${server.url}/p/login`);
    await signIn(page, person);
    await page.getByText('Use a recovery code').click();
    await page.fill('input[name=recovery_code]', codes[0]);
    await page.getByRole('button', { name: 'Use this code' }).click();
    await signedIn(page);
    await context.close();
  });

  const { context, page, complaints } = await open();
  await page.goto(`${server.url}/p/login`);
  await signIn(page, person);
  await page.getByRole('heading', { name: 'Second step' }).waitFor();
  await inspect(page, 'second-step-code');
  const { removed } = await server.command(['user', 'factors', 'remove', person.username]);
  assert.equal(removed, true);
  await page.goto(`${server.url}/p/login`);
  await signIn(page, person);
  await signedIn(page);
  for (const [name, path] of [
    ['security-password', '/password'],
    ['security-passkey-new', '/passkeys'],
    ['security-recovery-codes', '/recovery-codes'],
  ]) {
    await page.goto(`${server.url}${SECURITY}${path}`);
    await inspect(page, name);
  }
  await page.goto(`${server.url}${SECURITY}`);
  await page.getByRole('button', { name: 'Set up an app' }).click();
  await page.getByRole('heading', { name: 'Set up an authenticator app' }).waitFor();
  await inspect(page, 'security-totp');
  await check('no page about second factors broke its own content security policy', async () =>
    assert.deepEqual(complaints, []),
  );
  await context.close();
}
