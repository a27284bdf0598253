// Every page of the catalogue in Chromium, in each of its states: ordinary words in each language, hostile words,
// words without end and words from right to left. The unit tests of the server write the pages (PORTOLAN_PAGES);
// this looks at them with a browser's eyes. With `--screens FOLDER` it takes the pictures of docs/screens instead.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';

import { launch } from './chromium.mjs';
import { english, faint, keyboard, structure, unreadable, violations, withoutScript } from './eyes.mjs';

const STATIC = new URL('../../crates/server/static/', import.meta.url);
const TYPES = { css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };
const NARROW = { width: 320, height: 640 };
const WIDE = { width: 1280, height: 900 };
// A page with its style sheet, scripts and pictures (issue of a slow line in a laboratory).
const MOST_BYTES = 150 * 1024;
// Pictures are small enough for a repository and still legible: they show the beginning of a long page, scaled down.
const TALLEST = 1600;
const SCALES = { narrow: 0.7, wide: 0.66 };
const QUALITY = 25;
const MOST_PICTURES = 12_000_000;
const WORKERS = 3;

const folder = process.env.PORTOLAN_PAGES;
assert.ok(folder, 'PORTOLAN_PAGES must name the folder that the catalogue was written to');
const policy = readFileSync(join(folder, 'policy.txt'), 'utf8').trim();

// `kind` says what the words are: en, de, hostile, long or rtl.
const pages = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name: kind }) => {
    const files = readdirSync(join(folder, kind)).filter((file) => file.endsWith('.html'));
    return files.map((file) => ({ kind, name: basename(file, '.html') }));
  })
  .sort((a, b) => a.name.localeCompare(b.name) || a.kind.localeCompare(b.kind));

// Answers as the server does: the same policy, and files under the address that the pages name.
const site = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  const parts = pathname.split('/').slice(1);
  try {
    if (parts[0] === 'static') {
      const type = TYPES[parts[2].split('.').pop()];
      response.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'x-content-type-options': 'nosniff' });
      response.end(readFileSync(new URL(parts[2], STATIC)));
    } else if (parts[0] === 'p' && parts[1] === 'skin') {
      // The look of an app, written beside the pages.
      const type = parts[2].endsWith('.css') ? 'text/css; charset=utf-8' : 'image/png';
      response.writeHead(200, { 'content-type': type, 'x-content-type-options': 'nosniff' });
      response.end(readFileSync(join(folder, 'skin', basename(parts[2]))));
    } else {
      const body = readFileSync(join(folder, parts[0], `${basename(parts[1])}.html`));
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy });
      response.end(body);
    }
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${site.address().port}`;

// What the page does that it must not: breaking the policy, asking elsewhere, failing, opening a window.
async function open(browser, options) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog says ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  page.on('response', (response) => {
    if (response.status() !== 200) complaints.push(`${response.status()} for ${response.url()}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && url.protocol !== 'data:') complaints.push(`the page asks for ${url}`);
  });
  const visit = async ({ kind, name }) => {
    complaints.length = 0;
    await page.goto(`${origin}/${kind}/${name}`);
  };
  return { context, page, complaints, visit };
}

// The page with everything that it loads, unpacked.
function weight(page) {
  return page.evaluate(() => {
    const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    return loaded.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0);
  });
}

async function look(scripted, scriptless, entry) {
  const { page, complaints, visit } = scripted;
  const { kind } = entry;
  const problems = [];
  const note = (where, found) => problems.push(...found.map((problem) => `${where}: ${problem}`));

  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: 'light' });
  await visit(entry);
  const bytes = await weight(page);
  if (bytes > MOST_BYTES || bytes < 10_000) problems.push(`the page weighs ${bytes} bytes`);
  note('structure', await structure(page, kind === 'de' ? 'de' : 'en'));
  note('1280 px', await unreadable(page));
  // What axe looks at does not change with the words that strangers choose.
  const ours = kind === 'en' || kind === 'de';
  if (ours) note('light', await violations(page));
  if (kind === 'en') {
    note('keyboard', await keyboard(page));
    await page.emulateMedia({ colorScheme: 'dark' });
    note('dark', await faint(page));
    await page.emulateMedia({ colorScheme: 'light' });
  }
  await page.setViewportSize(NARROW);
  note('320 px', await unreadable(page));
  if (ours) note('320 px', await violations(page));
  if (kind === 'de') {
    note('language', await english(page));
    await page.emulateMedia({ colorScheme: 'dark' });
    note('320 px, dark', await faint(page));
    await page.emulateMedia({ colorScheme: 'light' });
  }
  note('browser', complaints);

  if (kind === 'en') {
    await scriptless.visit(entry);
    note('no script', await withoutScript(scriptless.page));
    note('no script', await unreadable(scriptless.page));
    note('no script', scriptless.complaints);
  }
  return problems;
}

async function inspectAll(browser) {
  const failures = [];
  const queue = [...pages];
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      const scripted = await open(browser, {});
      const scriptless = await open(browser, { javaScriptEnabled: false, viewport: NARROW });
      for (let entry = queue.shift(); entry; entry = queue.shift()) {
        const name = `${entry.name} (${entry.kind})`;
        const problems = await look(scripted, scriptless, entry).catch((error) => [String(error?.stack ?? error)]);
        console.log(problems.length ? `FAIL  ${name}\n      ${problems.join('\n      ')}` : `ok    ${name}`);
        if (problems.length) failures.push(name);
      }
      await scripted.context.close();
      await scriptless.context.close();
    }),
  );
  return failures;
}

// Each check is shown a page that it must refuse; otherwise it could pass for ever by seeing nothing.
async function theChecksSeeSomething(browser) {
  const { context, page } = await open(browser, { viewport: NARROW });
  const see = async (body, check) => {
    await page.setContent(`<!doctype html><html lang="en"><title>Page</title><body>${body}`);
    return (await check(page)).join('\n');
  };
  assert.match(await see(`<p>${'x'.repeat(200)}</p>`, unreadable), /beyond the edge/);
  assert.match(
    await see('<p style="overflow:hidden;white-space:nowrap;width:50px">far too long to be seen</p>', unreadable),
    /cut off/,
  );
  assert.match(await see('<button type="button" style="outline:none">A</button>', keyboard), /cannot be seen/);
  assert.match(await see('<a href="/" tabindex="-1">A</a><a href="/">B</a>', keyboard), /does not reach/);
  assert.match(await see('<button type="button">Copy</button>', withoutScript), /nothing without script/);
  assert.match(await see('<main><img src="data:,"><p>a</p><h1>b</h1></main>', violations), /image-alt/);
  assert.match(await see('<main style="background:#fff;color:#ccc">pale words', faint), /color-contrast/);
  assert.match(await see('<h1>a</h1>', (it) => structure(it, 'de')), /the language is en[\s\S]*0 main/);
  await context.close();
}

async function takeScreens(browser, target) {
  mkdirSync(target, { recursive: true });
  const context = await browser.newContext({ reducedMotion: 'reduce', bypassCSP: true });
  const page = await context.newPage();
  const protocol = await context.newCDPSession(page);
  const ordinary = pages.filter(({ kind }) => kind === 'en');
  let bytes = 0;
  for (const { kind, name } of ordinary) {
    for (const [size, viewport] of Object.entries({ narrow: NARROW, wide: WIDE })) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        await page.goto(`${origin}/${kind}/${name}`);
        // The fine lines behind the page would be most of the file.
        await page.addStyleTag({ content: 'body::before { display: none }' });
        const height = await page.evaluate(() => document.documentElement.scrollHeight);
        const clip = { x: 0, y: 0, width: viewport.width, height: Math.min(height, TALLEST), scale: SCALES[size] };
        const options = { format: 'webp', quality: QUALITY, captureBeyondViewport: true, clip };
        const { data } = await protocol.send('Page.captureScreenshot', options);
        const picture = Buffer.from(data, 'base64');
        bytes += picture.length;
        writeFileSync(join(target, `${name}-${size}-${colorScheme}.webp`), picture);
      }
    }
    console.log(`      ${name}`);
  }
  await context.close();
  writeFileSync(join(target, 'README.md'), index(ordinary.map(({ name }) => name)));
  console.log(`${ordinary.length} pages, ${(bytes / 1e6).toFixed(1)} MB`);
  assert.ok(bytes < MOST_PICTURES, `the pictures take ${bytes} bytes`);
}

function index(names) {
  const row = (name) => {
    const cell = (look) => `[![${name}, ${look}](${name}-${look}.webp)](${name}-${look}.webp)`;
    return `## ${name}\n\n${['narrow-light', 'narrow-dark', 'wide-light', 'wide-dark'].map(cell).join('\n')}\n`;
  };
  return `# Every page

Each page of the catalogue (\`crates/server/src/web/pages_tests.rs\`) with its sample data: 320 and 1280 px wide, light and
dark. The names are those of the tests. Long pages are cut off. Written by \`cargo xtask screens\`.

${names.map((name) => `[${name}](#${name})`).join(' · ')}

${names.map(row).join('\n')}`;
}

const browser = await launch();
let failures = [];
try {
  assert.ok(pages.length > 0, `${folder} holds no page`);
  const [option, target] = process.argv.slice(2);
  if (option === '--screens') await takeScreens(browser, target);
  else {
    await theChecksSeeSomething(browser);
    failures = await inspectAll(browser);
    console.log(`\n${pages.length - failures.length} pages passed, ${failures.length} failed`);
  }
} finally {
  await browser.close();
  site.close();
}
process.exitCode = failures.length ? 1 : 0;
