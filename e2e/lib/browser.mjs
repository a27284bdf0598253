// A person's browser without a screen: cookies, redirects and plain HTML forms, no JavaScript.
// The same as browser.py, for the suites that run on Node.

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decode(text) {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|([a-z]+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name.toLowerCase()] ?? whole;
  });
}

function attributes(text) {
  const found = {};
  for (const [, name, , quoted, single, bare] of text.matchAll(
    /([^\s=/>]+)(\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/g,
  )) {
    found[name.toLowerCase()] = decode(quoted ?? single ?? bare ?? '');
  }
  return found;
}

export function forms(html) {
  const found = [];
  for (const [, head, body] of html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)) {
    const { action = '', method = 'get' } = attributes(head);
    const fields = [];
    const buttons = [];
    for (const [, tag, rest] of body.matchAll(/<(input|button)\b((?:"[^"]*"|'[^']*'|[^>"'])*)>/gi)) {
      const field = attributes(rest);
      const type = (field.type ?? (tag.toLowerCase() === 'button' ? 'submit' : 'text')).toLowerCase();
      if (type === 'submit') buttons.push(field);
      else if (!field.name || type === 'button' || 'disabled' in field) continue;
      else if ((type === 'checkbox' || type === 'radio') && !('checked' in field)) continue;
      else fields.push({ name: field.name, type, value: field.value ?? (type === 'checkbox' ? 'on' : '') });
    }
    found.push({ action, method: method.toLowerCase(), fields, buttons });
  }
  return found;
}

export class Browser {
  #cookies = new Map();

  constructor(baseUrl, person) {
    this.origin = new URL(baseUrl).origin;
    this.person = person;
    this.kinds = [];
  }

  async #send(url, options = {}) {
    const headers = { accept: 'text/html', ...options.headers };
    if (this.#cookies.size) headers.cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { ...options, headers, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) {
      const [pair, ...rest] = line.split(';');
      const cut = pair.indexOf('=');
      const [name, value] = [pair.slice(0, cut).trim(), pair.slice(cut + 1).trim()];
      const gone = rest.some((part) => /^\s*max-age=0\s*$/i.test(part)) || value === '';
      if (gone) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return answer;
  }

  // Walks from an authorization URL to the redirect URI, signing in and answering what is asked.
  async authorize(url, decision = 'allow') {
    this.kinds = [];
    let where = String(url);
    let answer = await this.#send(where, { headers: { 'sec-fetch-site': 'none' } });
    for (let step = 0; step < 20; step += 1) {
      if (answer.status === 302 || answer.status === 303) {
        await answer.arrayBuffer();
        where = new URL(answer.headers.get('location'), where).href;
        if (new URL(where).origin !== this.origin) return new URL(where);
        answer = await this.#send(where, { headers: { 'sec-fetch-site': 'none' } });
        continue;
      }
      const html = await answer.text();
      const all = forms(html);
      const login = all.find((form) => form.fields.some(({ type }) => type === 'password'));
      const decide = all.find((form) =>
        form.buttons.some(({ name, value }) => name === 'decision' && value === decision),
      );
      const form = login ?? decide;
      if (!form || (login && this.kinds.includes('login'))) {
        const text = html
          .replace(/<(script|style)[\s\S]*?<\/\1>/gi, '')
          .replace(/<[^>]*>/g, ' ')
          .replace(/\s+/g, ' ');
        throw new Error(`${answer.status} at ${where}: ${decode(text)}`);
      }
      this.kinds.push(login ? 'login' : 'consent');
      const values = login ? { username: this.person.username, password: this.person.password } : {};
      const body = new URLSearchParams(form.fields.map(({ name, value }) => [name, values[name] ?? value]));
      if (!login) body.append('decision', decision);
      where = new URL(form.action || where, where).href;
      answer = await this.#send(where, {
        method: 'POST',
        body,
        headers: { origin: this.origin, 'sec-fetch-site': 'same-origin' },
      });
    }
    throw new Error(`no end of redirects at ${where}`);
  }
}
