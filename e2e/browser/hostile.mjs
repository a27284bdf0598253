// Hostile content through the real forms (threat 17): logos that are scripts, fragments or bombs, and names, descriptions
// and texts that would be markup, on every page that shows them. Nothing runs, nothing breaks the policy, and the words
// stay readable words at 320 px.

import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';

import { signIn } from './chromium.mjs';
import { unreadable } from './eyes.mjs';

const MARKUP = `<img src=x onerror=alert(1)>"'><script>alert(2)</script>`;
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(3)"><script>alert(4)</script></svg>`;
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

function chunk(type, data) {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc(named));
  return Buffer.concat([length, named, check]);
}

// A grey picture; `rows` can be fewer than it claims.
function png(width, height, { rows = height, chunks = [] } = {}) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const points = deflateSync(Buffer.alloc((width + 1) * rows), { level: 9 });
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    ...chunks,
    chunk('IDAT', points),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const script = Buffer.from(`<script>alert(5)</script>`);
const small = () => png(64, 32);

const REFUSED = {
  'an SVG picture with a script': { name: 'logo.svg', mimeType: 'image/svg+xml', buffer: Buffer.from(SVG) },
  'the same under the name of a PNG': { name: 'logo.png', mimeType: 'image/png', buffer: Buffer.from(SVG) },
  'a page': { name: 'logo.png', mimeType: 'image/png', buffer: Buffer.from(`<!doctype html>${script}`) },
  'a GIF that is a script': { name: 'a.gif', mimeType: 'image/gif', buffer: Buffer.from('GIF89a/*\0\0*/=1;alert(6)//;') },
  'the beginning of a PNG': { name: 'logo.png', mimeType: 'image/png', buffer: small().subarray(0, 50) },
  'a PNG without its points': { name: 'logo.png', mimeType: 'image/png', buffer: png(1000, 1000, { rows: 1 }) },
  'a PNG of huge sides': { name: 'logo.png', mimeType: 'image/png', buffer: png(2 ** 31 - 1, 2 ** 31 - 1, { rows: 0 }) },
  'a bomb: much picture in a few bytes': { name: 'logo.png', mimeType: 'image/png', buffer: png(20_000, 20_000) },
};

const TAKEN = {
  'a PNG with a page behind it': Buffer.concat([small(), Buffer.from(`<!doctype html>${script}`)]),
  'a PNG with a script in its texts': png(64, 32, {
    chunks: [chunk('tEXt', Buffer.concat([Buffer.from('Comment\0'), script]))],
  }),
};

// `tools` are those of the suite of pages: its server, its checks, and how it opens a page.
export async function hostileContent(tools, administrator) {
  const { server, check, open, authorize, callback } = tools;
  const { context, page, complaints } = await open();
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog says ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  page.on('console', (message) => {
    // Refusals are answers with an error's status, which the browser notes.
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) complaints.push(message.text());
  });
  const submit = () => page.click('main form[method=post] .actions .button-primary');
  const quiet = () => assert.deepEqual(complaints.splice(0), []);

  // The words are there, as words, and can be read.
  async function shows(path, name) {
    await check(`hostile words stay words: ${name}`, async () => {
      await page.goto(path.startsWith('http') ? path : `${server.url}${path}`);
      await harmless();
      assert.ok((await page.content()).includes('alert(1)'), `${path} does not show them`);
    });
  }
  // What one page did is told of that page alone.
  async function harmless() {
    const strange = await page.$$eval('img:not(.skin-logo), script:not([src]), [onerror], [onload], svg script', (all) =>
      all.map((node) => node.outerHTML),
    );
    assert.deepEqual(strange, []);
    await page.setViewportSize({ width: 320, height: 640 });
    assert.deepEqual(await unreadable(page), []);
    quiet();
  }

  await page.goto(`${server.url}/p/developers/projects/new`);
  await signIn(page, administrator);
  await page.fill('[name=display_name]', MARKUP);
  await page.fill('[name=contact_email]', 'hostile@example.org');
  await submit();
  await page.waitForURL(/[?&]notice=created/);
  const project = new URL(page.url()).pathname;
  await page.goto(`${server.url}${project}/apps/new`);
  await page.fill('[name=name]', MARKUP);
  await page.check('[name=client_type][value*=hybrid]');
  await page.fill('[name=redirect_uris]', callback);
  await submit();
  await page.waitForURL(/[?&]notice=created/);
  const app = new URL(page.url()).pathname;
  const client = { id: app.split('/').at(-1) };
  await page.goto(`${server.url}${app}/scopes/new`);
  await page.fill('[name=suffix]', 'all');
  await page.fill('[name=name]', MARKUP);
  await page.fill('[name=description]', `${MARKUP}\n${SVG}`);
  await page.click('button[name=do][value=save]');
  await page.goto(`${server.url}${project}/policies/new`);
  await page.fill('[name=name]', MARKUP);
  await page.fill('[name=description]', MARKUP);
  await submit();
  await page.goto(`${server.url}${app}/secrets`);
  await page.fill('[name=name]', MARKUP);
  await submit();

  const look = `${server.url}${app}/appearance`;
  for (const [name, file] of Object.entries(REFUSED)) {
    await check(`hostile logos: ${name} is refused`, async () => {
      await page.goto(look);
      await page.setInputFiles('#logo', file);
      await page.click('button[value=save]');
      await page.locator('[role=alert], .notice-error').first().waitFor();
      assert.equal(await page.locator('.skin-logo').count(), 0, 'it is shown');
      await harmless();
    });
  }
  for (const [name, buffer] of Object.entries(TAKEN)) {
    await check(`hostile logos: of ${name} only the points are kept`, async () => {
      await page.goto(look);
      await page.fill('#header_text', MARKUP);
      await page.setInputFiles('#logo', { name: `${MARKUP}.png`, mimeType: 'text/html', buffer });
      await page.click('button[value=save]');
      await page.waitForURL(/[?&]notice=saved/);
      const source = await page.locator('.skin-logo').getAttribute('src');
      const served = await fetch(new URL(source, server.url));
      const bytes = Buffer.from(await served.arrayBuffer());
      assert.equal(served.headers.get('content-type'), 'image/png');
      assert.equal(served.headers.get('x-content-type-options'), 'nosniff');
      assert.deepEqual(bytes.subarray(0, 8), SIGNATURE);
      assert.ok(!bytes.includes('script') && !bytes.includes('tEXt'), 'its texts are kept');
      assert.ok(await page.locator('.skin-logo').evaluate((logo) => logo.naturalWidth > 0), 'it cannot be seen');
      quiet();
    });
  }

  await shows(`${app}/appearance`, 'look of the app');
  await shows('/p/developers', 'projects');
  await shows(project, 'project');
  await shows(`${project}/edit`, 'project, edit');
  await shows(`${project}/delete`, 'project, delete');
  await shows(app, 'app');
  await shows(`${app}/edit`, 'app, edit');
  await shows(`${app}/delete`, 'app, delete');
  await shows(`${app}/scopes`, 'scopes');
  await shows(`${app}/domains`, 'domain names');
  await shows(`${project}/policies`, 'policies');
  const scope = `https://auth.globus.org/scopes/${client.id}/all`;
  await shows(authorize(client, scope, callback, { session_message: MARKUP, prompt: 'login' }), 'login');
  await shows(authorize(client, scope, callback), 'consent');
  await check('hostile words stay words: permissions, after a consent', async () => {
    await page.click('button[name=decision][value=allow]');
    await page.waitForURL((url) => url.href.startsWith(callback));
  });
  await shows('/v2/web/consents', 'permissions');
  await shows('/v2/web/consents/all', 'withdrawal');
  await shows(`/p/console/clients/${client.id}`, 'app of the console');
  await shows('/p/console/audit?action=client', 'audit trail');
  await shows(`/v2/web/auth-code?error=x&error_description=${encodeURIComponent(MARKUP)}`, 'display of a refusal');
  await context.close();
}
