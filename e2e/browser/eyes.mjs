// What a browser can tell of an open page: whether its words can be read, whether it obeys WCAG 2.2 A and AA (axe),
// whether the keyboard reaches everything, what is dead without script, and which language it speaks. Each gives a list
// of what is wrong.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LEVELS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

// Text that cannot be read: beyond the edge of the window, or cut off by an element that does not scroll.
export function unreadable(page) {
  return page.evaluate(() => {
    const found = [];
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width) {
      found.push(`the page is ${document.documentElement.scrollWidth} px wide in a window of ${width} px`);
    }
    const told = (node) => node.outerHTML.replace(/\s+/g, ' ').slice(0, 160);
    const hiddenFromSight = (style) => style.clip !== 'auto' || style.clipPath !== 'none';
    const scrolls = (node) => {
      for (let up = node; up && up !== document.body; up = up.parentElement) {
        const { overflowX } = getComputedStyle(up);
        if (overflowX === 'auto' || overflowX === 'scroll') return true;
      }
      return false;
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      const node = text.parentElement;
      if (!text.data.trim() || !node.checkVisibility() || ['SCRIPT', 'OPTION'].includes(node.tagName)) continue;
      let hidden = false;
      for (let up = node; up && up !== document.body; up = up.parentElement) {
        if (hiddenFromSight(getComputedStyle(up))) hidden = true;
      }
      if (hidden || node.closest('.skip-link') || scrolls(node)) continue;
      range.selectNodeContents(text);
      for (const box of range.getClientRects()) {
        if (box.right > width + 1 || box.left < -1) {
          found.push(`beyond the edge: ${told(node)}`);
          break;
        }
      }
      for (let up = node; up && up !== document.body; up = up.parentElement) {
        const style = getComputedStyle(up);
        if (style.overflowX !== 'visible' || style.overflowY !== 'visible') {
          const cut = up.scrollWidth > up.clientWidth + 1 || up.scrollHeight > up.clientHeight + 1;
          if (cut) found.push(`cut off: ${told(up)}`);
        }
      }
    }
    for (const control of document.querySelectorAll('button, select, input[type=submit]')) {
      if (control.checkVisibility() && control.scrollWidth > control.clientWidth + 1) {
        found.push(`does not hold its words: ${told(control)}`);
      }
    }
    return [...new Set(found)];
  });
}

export async function violations(page) {
  const result = await axe(page, { type: 'tag', values: LEVELS });
  assert.ok(result.passes.length >= 5, 'axe looked at almost nothing');
  return told(result);
}

// All that the other colour scheme of a page that was looked at can add to what is wrong.
export async function faint(page) {
  const result = await axe(page, { type: 'rule', values: ['color-contrast', 'link-in-text-block'] });
  assert.ok(!result.inapplicable.some(({ id }) => id === 'color-contrast'), 'axe looked at no colour');
  return told(result);
}

async function axe(page, runOnly) {
  // Half a megabyte of script, which stays until the next page.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  return page.evaluate((options) => globalThis.axe.run(document, options), { runOnly, resultTypes: ['violations'] });
}

function told(result) {
  return result.violations.map(
    ({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.slice(0, 3).map((node) => node.html).join('\n  ')}`,
  );
}

// Tab reaches everything that can be used, in the order of the page, and each stop can be seen.
export async function keyboard(page) {
  const wanted = await page.evaluate(() => {
    const groups = new Set();
    const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')];
    return all.filter((node) => {
      if (node.disabled || node.type === 'hidden' || !node.checkVisibility()) return false;
      if (node.type === 'radio') {
        const group = `${node.form?.action} ${node.name}`;
        if (groups.has(group)) return false;
        groups.add(group);
      }
      node.dataset.stop = 'wanted';
      return true;
    }).length;
  });
  await page.evaluate(() => document.activeElement?.blur());
  const problems = [];
  // A page may begin at a field with autofocus; going round once reaches everything anyway.
  for (let presses = 0; presses < wanted + 3; presses += 1) {
    await page.keyboard.press('Tab');
    const unseen = await page.evaluate(() => {
      const node = document.activeElement;
      if (!node || node === document.body) return null;
      delete node.dataset.stop;
      if (node.type === 'radio') {
        for (const other of document.getElementsByName(node.name)) delete other.dataset.stop;
      }
      const style = getComputedStyle(node);
      const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
      return outlined || style.boxShadow !== 'none' ? null : node.outerHTML.slice(0, 120);
    });
    if (unseen) problems.push(`the focus cannot be seen on ${unseen}`);
  }
  const missed = await page.$$eval('[data-stop]', (nodes) => nodes.map((node) => node.outerHTML.slice(0, 120)));
  return [...problems, ...missed.map((html) => `the keyboard does not reach ${html}`)];
}

// What is there without script must work without script.
export function withoutScript(page) {
  return page.evaluate(() => {
    const dead = [...document.querySelectorAll('button:not([type=submit])')].filter((node) => node.checkVisibility());
    return dead.map((node) => `does nothing without script: ${node.outerHTML.slice(0, 120)}`);
  });
}

export function structure(page, language) {
  return page.evaluate((expected) => {
    const found = [];
    const { lang } = document.documentElement;
    if (lang !== expected) found.push(`the language is ${lang}, not ${expected}`);
    for (const [selector, count] of [['h1', 1], ['main', 1]]) {
      const there = document.querySelectorAll(selector).length;
      if (there !== count) found.push(`${there} ${selector}`);
    }
    if (document.title.length < 4) found.push('the page has no title');
    if (parseFloat(getComputedStyle(document.body).fontSize) < 16) found.push('the text is small');
    return found;
  }, language);
}

// English words on a page in another language: sentences of our own that stand there untranslated, and what the server
// itself marks as English.
export async function english(page) {
  const found = await page.evaluate(() => {
    const marked = [...document.querySelectorAll('main [lang=en]')].map((node) => node.textContent);
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      if (!text.parentElement.closest('script, code, pre, [lang=en]')) texts.push(text.data);
    }
    return { marked, texts: [document.title.split(' · ')[0], ...texts] };
  });
  const flat = (text) => text.replace(/[\u2068\u2069]/g, '').replace(/\s+/g, ' ').trim();
  const ours = found.texts.map(flat).filter((text) => ENGLISH.has(text));
  // What is said of unknown scopes is fixed for programs that read it, so it is the same in each language.
  const marked = found.marked.map(flat).filter((text) => !text.includes('requested unknown scopes:'));
  return [...marked, ...ours].map((text) => `English: ${text}`);
}

// Messages of the first language that the second says otherwise; those of one word may be names.
const ENGLISH = untranslated();

function untranslated() {
  const read = (tag) => {
    const folder = new URL(`../../crates/server/locales/${tag}/`, import.meta.url);
    const lines = readdirSync(folder).flatMap((file) => readFileSync(new URL(file, folder), 'utf8').split('\n'));
    return lines.map((line) => /^[a-z][a-z0-9-]* = (.+)$/.exec(line)?.[1].trim()).filter((text) => text);
  };
  const german = new Set(read('de'));
  return new Set(read('en').filter((text) => text.includes(' ') && !german.has(text)));
}
