// The developer area and the operator console in the second language: the part of `german.mjs` that has the most forms.

import assert from 'node:assert/strict';

const AREA = '/p/developers';
const CONSOLE = '/p/console';
// What a browser takes for an address and the server does not.
const TOO_LONG = `${'f'.repeat(250)}@example.org`;

// Somebody makes a project, an app, a secret, scopes, a domain name, a policy and a look, and takes all of it away.
export async function developers(walk, main, person) {
  await walk.go('/p/login');
  if (await walk.page.locator('main [name=password]').count()) {
    await walk.send({ username: person.username, password: person.password });
  }
  await walk.go(AREA, 'projects, none');
  await walk.go(`${AREA}/projects/new`, 'project, new');
  await walk.refused({ display_name: 'Gezeiten', contact_email: TOO_LONG }, 'project, refused');
  await walk.send({ display_name: 'Gezeiten', contact_email: 'frieda@example.org' }, 'project, made');
  const project = walk.path;
  await walk.go(`${project}/edit`, 'project, edit');
  await walk.refused({ contact_email: TOO_LONG }, 'project, edit refused');
  await walk.send({ display_name: 'Gezeiten und Pegel', contact_email: 'frieda@example.org' }, 'project, changed');

  await walk.go(`${project}/apps/new`, 'app, new');
  await walk.choose('client_type', 'hybrid_confidential_client_resource_server');
  await walk.refused({ name: 'Pegel', redirect_uris: 'http://a.example/cb' }, 'app, refused');
  await walk.send({ redirect_uris: 'https://localhost/cb' }, 'app, made');
  const app = walk.path;
  const client = app.split('/').at(-1);
  await walk.go(`${app}/edit`, 'app, edit');
  await walk.refused({ redirect_uris: 'https://*.example/cb' }, 'app, edit refused');
  await walk.send({ name: 'Pegel am Hafen', redirect_uris: 'https://localhost/cb' }, 'app, changed');

  await walk.go(`${app}/secrets`, 'secret, new');
  await walk.refused({ name: 'x'.repeat(300) }, 'secret, refused');
  await walk.send({ name: 'Messgerät' }, 'secret, shown');
  await walk.press('main a.button', 'app, with a secret');
  await walk.press('main a[href*="/secrets/"][href$="/delete"]', 'secret, delete');
  await walk.press(main, 'app, secret deleted');

  await walk.go(`${project}/admins`, 'admin, new');
  await walk.refused({ who: 'niemand' }, 'admin, refused');
  await walk.send({ who: client }, 'admin, added');
  await walk.press(`main a[href*="/admins/"]:not([href$="/admins"])`, 'admin, remove');
  await walk.go(project, 'project');

  await scopes(walk, main, app);
  await walk.go(`${app}/domains`, 'domain names');
  await walk.refused({ fqdn: 'localhost' }, 'domain names, refused');
  await policies(walk, main, project);
  for (const owner of [app, project]) {
    await walk.go(`${owner}/appearance`, 'look');
    await walk.page.fill('#band', '#777777');
    await walk.refused({ header_text: 'Pegel' }, 'look, refused', 'button[value=save]');
    await walk.page.fill('#band', '#7a1f2b');
    await walk.press('button[value=try]', 'look, tried');
    await walk.press('button[value=save]', 'look, saved');
    await walk.press('button[value=remove]', 'look, taken away');
  }
  await walk.go(`${project}/delete`, 'project, cannot be deleted');
  await walk.go(`${app}/delete`, 'app, delete');
  await walk.press(main, 'app, deleted');
  await walk.go(`${project}/delete`, 'project, delete');
  await walk.press(main, 'projects, deleted');
}

async function scopes(walk, main, app) {
  await walk.go(`${app}/scopes`, 'scopes, none');
  await walk.go(`${app}/scopes/new`, 'scope, new');
  const save = 'button[name=do][value=save]';
  const words = { name: 'Pegel lesen', description: 'Wie hoch das Wasser steht' };
  await walk.refused({ suffix: 'Nicht So', ...words }, 'scope, refused', save);
  await walk.send({ suffix: 'lesen', search: 'groups' }, 'scope, found', 'button[name=do][value=search]');
  await walk.press('button[name=add]', 'scope, added');
  await walk.press('button[name=remove]', 'scope, taken out');
  await walk.send({ search: '' }, 'scopes', save);
  await walk.press('main .scope .links a', 'scope, edit');
  await walk.refused({ required_domains: 'a@b' }, 'scope, edit refused', save);
  await walk.send({ required_domains: '' }, 'scopes, changed', save);
  await walk.press('main .scope .links li:nth-child(2) a', 'scope, delete');
  await walk.press(main, 'scopes, deleted');
}

async function policies(walk, main, project) {
  await walk.go(`${project}/policies`, 'policies, none');
  await walk.go(`${project}/policies/new`, 'policy, new');
  const words = { name: 'Nur der Campus', description: 'Gezeitentafeln' };
  await walk.refused({ ...words, timeout: 'bald', include: '*' }, 'policy, refused');
  await walk.send({ timeout: '2', include: 'portolan.local' }, 'policies, made');
  await walk.press('main .links a[href$="/try"]', 'policy, trial');
  await walk.send({ who: 'bob@anderswo.example' }, 'policy, trial of somebody', 'main form[role=search] button');
  await walk.go(`${project}/policies`, 'policies');
  await walk.press('main .links li:nth-child(2) a', 'policy, edit');
  await walk.refused({ timeout: 'bald' }, 'policy, edit refused');
  await walk.send({ timeout: '3' }, 'policies, changed');
  await walk.press('main .links a[href$="/delete"]', 'policy, delete');
  await walk.press(main, 'policies, deleted');
}

// An administrator looks at every part, and switches off, on and away what there is.
export async function operators(walk, main, administrator, { person, client }) {
  await walk.go(`/p/login?next=console`);
  await walk.send({ username: administrator.username, password: administrator.password });
  await walk.go(CONSOLE, 'console');
  const search = 'main form[role=search] button';
  await walk.go(`${CONSOLE}/people`);
  await walk.send({ q: 'fr' }, 'people, found', search);
  await walk.send({ q: 'niemand' }, 'people, none', search);
  await walk.go(`${CONSOLE}/clients`);
  await walk.send({ q: 'strahl' }, 'apps, found', search);
  await walk.send({ q: 'niemand' }, 'apps, none', search);
  await walk.go(`${CONSOLE}/audit`, 'audit trail');
  await walk.refused({ actor: 'niemand', since: 'morgen' }, 'audit trail, refused', search);
  await walk.send({ actor: '', action: 'client', since: '' }, 'audit trail, found', search);
  await walk.go(`${CONSOLE}/server`, 'server');

  await walk.go(`${CONSOLE}/people/${person.id}`, 'person');
  await walk.press('main form[action$="/end-session"] button', 'person, one session ended');
  const actions = await walk.page.locator('main .links-list a').evaluateAll((all) => all.map((one) => one.getAttribute('href')));
  assert.ok(actions.length >= 2, actions.join());
  for (const action of actions.sort((a) => (a.endsWith('/disable') ? 1 : -1))) {
    await walk.go(action, `person, ${action.split('/').at(-1)}`);
    await walk.press(main, `person, ${action.split('/').at(-1)} done`);
  }
  await walk.go(`${CONSOLE}/people/${person.id}/enable`, 'person, enable');
  await walk.press(main, 'person, enabled');

  await walk.go(`${CONSOLE}/people/${administrator.id}`, 'administrator');
  await walk.go(`${CONSOLE}/clients/${client.id}`, 'app of the console');
  for (const action of ['disable', 'enable', 'delete']) {
    await walk.go(`${CONSOLE}/clients/${client.id}/${action}`, `app, ${action}`);
    await walk.press(main, `app, ${action} done`);
  }
  await providers(walk, main, search);

  await walk.go(`${CONSOLE}/keys`, 'keys');
  await walk.go(`${CONSOLE}/keys/rotate`, 'keys, rotate');
  await walk.press(main, 'keys, rotated');
  await walk.go(`${CONSOLE}/setup/address`, 'first steps, address');
  await walk.go(`${CONSOLE}/setup/app`, 'first steps, app');
  await walk.refused({ contact_email: TOO_LONG }, 'first steps, refused');
  await walk.send({ contact_email: 'lotte@example.org' }, 'first steps, token');
  await walk.go('/', 'home of an administrator');
}

async function providers(walk, main, search) {
  await walk.go(`${CONSOLE}/providers`);
  await walk.send({ q: 'niemand' }, 'providers, none', search);
  await walk.go(`${CONSOLE}/providers/new?preset=generic`, 'provider, new');
  const fields = {
    name: 'Universität am Meer',
    short_name: 'meer',
    domains: 'meer.example',
    issuer: 'https://meer.example',
    client_id: 'portolan',
    client_secret: 'geheim',
  };
  await walk.refused({ ...fields, short_name: 'Nicht So' }, 'provider, refused');
  await walk.send({ ...fields }, 'provider, added');
  const provider = walk.path;
  await walk.go(`${provider}/edit`, 'provider, edit');
  await walk.refused({ issuer: 'http://meer.example' }, 'provider, edit refused');
  await walk.send({ issuer: 'https://meer.example' }, 'provider, changed');
  for (const action of ['disable', 'enable', 'delete']) {
    await walk.go(`${provider}/${action}`, `provider, ${action}`);
    await walk.press(main, `provider, ${action} done`);
  }
  await walk.go(`${CONSOLE}/providers`, 'providers');
}
