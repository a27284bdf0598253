// Another identity provider: npm oidc-provider with people, pages and keys of its own. It can be switched off and on
// again at the same address, and changes its keys when it is told to.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

import { freePort } from '../lib/ports.mjs';

const NAME = 'College of Navigation';
export const MFA = 'https://refeds.org/profile/mfa';

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kid = randomBytes(8).toString('hex');
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' };
}

function readBody(request) {
  return new Promise((resolve) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part) => (text += part));
    request.on('end', () => resolve(new URLSearchParams(text)));
  });
}

const FORMS = {
  login: `<label>Login <input name="login" autofocus></label>
    <label>Password <input name="secret" type="password"></label>
    <label><input name="second" type="checkbox" value="yes"> I also use my security key</label>
    <button>Sign in</button>`,
  consent: '<p>Portolan wants to know who you are.</p><button>Tell it</button>',
};

// What the provider remembers: its own memory ends with its keys.
class Store {
  constructor(records, model) {
    this.records = records;
    this.prefix = `${model}:`;
  }

  async upsert(id, payload) {
    this.records.set(this.prefix + id, payload);
  }

  async find(id) {
    return this.records.get(this.prefix + id);
  }

  async findByUid(uid) {
    return [...this.records.values()].find((payload) => payload.uid === uid && payload.kind === 'Session');
  }

  async consume(id) {
    (await this.find(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.records.delete(this.prefix + id);
  }

  async revokeByGrantId(grantId) {
    for (const [key, payload] of this.records) if (payload.grantId === grantId) this.records.delete(key);
  }
}

export class College {
  name = NAME;
  // The queries that people came with.
  asked = [];
  #people = new Map();
  #records = new Map();
  // What people have agreed to, by their subject: they are asked once.
  #grants = new Map();
  #cookieKey = randomBytes(32).toString('hex');

  async choosePort() {
    this.port = await freePort();
    this.issuer = `http://127.0.0.1:${this.port}`;
  }

  // What a server is told of itself here.
  register(redirectUri) {
    this.client = {
      client_id: 'portolan',
      client_secret: randomBytes(24).toString('hex'),
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      require_auth_time: true,
    };
    this.rotateKeys();
    return this.client;
  }

  addPerson(login, name) {
    const person = { login, name, password: randomBytes(12).toString('hex'), subject: randomBytes(8).toString('hex') };
    this.#people.set(login, person);
    return person;
  }

  // From now on it signs with a key that it did not have before, and publishes no other.
  rotateKeys() {
    const people = () => [...this.#people.values()];
    this.provider = new Provider(this.issuer, {
      adapter: (model) => new Store(this.#records, model),
      clients: [this.client],
      jwks: { keys: [newKey()] },
      cookies: { keys: [this.#cookieKey] },
      claims: { openid: ['sub', 'amr'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], acr: null },
      acrValues: [MFA],
      features: { devInteractions: { enabled: false } },
      interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
      ttl: { Session: 3600, Interaction: 600, Grant: 3600, AccessToken: 600, AuthorizationCode: 60, IdToken: 600 },
      findAccount: (context, id) => {
        const found = people().find(({ subject }) => subject === id);
        if (!found) return undefined;
        const { login, name } = found;
        const claims = { sub: id, name, preferred_username: login, email: `${login}@college.example` };
        return { accountId: id, claims: () => ({ ...claims, email_verified: true }) };
      },
      loadExistingGrant: (context) => {
        const { session, client, result, provider } = context.oidc;
        const id = result?.consent?.grantId ?? session.grantIdFor(client.clientId) ?? this.#grants.get(session.accountId);
        return id ? provider.Grant.find(id) : undefined;
      },
      renderError: (context, out) => {
        context.type = 'text/plain';
        context.body = `${NAME}: ${out.error} ${out.error_description ?? ''}`;
      },
    });
    this.handler = this.provider.callback();
  }

  async start() {
    this.listener = createServer((request, response) => {
      const url = new URL(request.url, this.issuer);
      if (url.pathname === '/auth') this.asked.push(url.searchParams);
      if (this.leavesAfterCode) this.#leaveAfterCode(response);
      if (url.pathname.startsWith('/interaction/')) {
        this.#interact(request, response).catch((error) => {
          console.error(error);
          response.destroy();
        });
      } else this.handler(request, response);
    });
    await new Promise((resolve, reject) => {
      this.listener.once('error', reject);
      this.listener.listen(this.port, '127.0.0.1', resolve);
    });
  }

  async stop() {
    const { listener } = this;
    this.listener = undefined;
    if (!listener?.listening) return;
    const closed = new Promise((resolve) => listener.close(resolve));
    listener.closeAllConnections();
    await closed;
  }

  // It goes away between the person's sign-in and the question that a server has about it.
  #leaveAfterCode(response) {
    const { listener } = this;
    const writeHead = response.writeHead.bind(response);
    response.writeHead = (...rest) => {
      if (/[?&]code=/.test(String(response.getHeader('location')))) {
        // Nobody gets in any more; this one answer still goes out.
        listener.close();
        listener.closeIdleConnections();
        response.shouldKeepAlive = false;
      }
      return writeHead(...rest);
    };
  }

  async #interact(request, response) {
    const { prompt, params, session, grantId } = await this.provider.interactionDetails(request, response);
    const show = (complaint = '') => {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>${NAME}</title><h1>${NAME}</h1>
        <p>${complaint}</p><form method="post" data-prompt="${prompt.name}">${FORMS[prompt.name]}</form></html>`);
    };
    if (request.method !== 'POST') return show();
    const form = await readBody(request);
    const finish = (result) =>
      this.provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
    if (prompt.name === 'login') {
      const person = this.#people.get(form.get('login'));
      if (!person || person.password !== form.get('secret')) return show('That is not right.');
      const second = form.get('second') === 'yes';
      const proof = second ? { acr: MFA, amr: ['pwd', 'hwk', 'mfa'] } : { amr: ['pwd'] };
      return finish({ login: { accountId: person.subject, ...proof } });
    }
    const grant = grantId
      ? await this.provider.Grant.find(grantId)
      : new this.provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    const { missingOIDCScope = [], missingOIDCClaims = [] } = prompt.details;
    grant.addOIDCScope(missingOIDCScope.join(' '));
    grant.addOIDCClaims(missingOIDCClaims);
    const agreed = await grant.save();
    this.#grants.set(session.accountId, agreed);
    return finish({ consent: { grantId: agreed } });
  }
}

// The person at the pages of the college, up to where it sends them back.
export async function signInAtCollege(page, person, { second = false } = {}) {
  await page.getByRole('heading', { name: NAME }).waitFor();
  await page.fill('input[name=login]', person.login);
  await page.fill('input[name=secret]', person.password);
  if (second) await page.check('input[name=second]');
  await page.click('button');
}
