// A relying party that is somebody else's: Apache with mod_auth_openidc, as Debian packages them, in front of a few
// pages. Its sessions are kept in files, so that they outlive a restart.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync, chownSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from '../lib/ports.mjs';

const PROGRAM = process.env.APACHE || '/usr/sbin/apache2';
const MODULES = '/usr/lib/apache2/modules';
// Debian's account for web servers; its number is the same everywhere.
const WWW_DATA = 33;
export const SESSION_COOKIE = 'mod_auth_openidc_session';

const page = (title) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>\n`;

export class Apache {
  // Its logs go to `logs` in the end. Its own folder is a temporary one: its workers run as another account, to which
  // the folders above the tests may be closed.
  async prepare(logs) {
    this.logs = logs;
    const directory = mkdtempSync(join(tmpdir(), 'portolan-apache-'));
    this.directory = directory;
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    this.private = `${this.url}/private/`;
    this.redirectUri = `${this.private}callback`;
    this.backchannelLogoutUri = `${this.redirectUri}?logout=backchannel`;
    this.goodbye = `${this.url}/goodbye.html`;
    chmodSync(directory, 0o755);
    for (const folder of ['pages', 'pages/private', 'sessions']) mkdirSync(join(directory, folder), { mode: 0o755 });
    writeFileSync(join(directory, 'pages/private/index.html'), page('The private chart'));
    writeFileSync(join(directory, 'pages/goodbye.html'), page('Goodbye'));
    writeFileSync(join(directory, 'pages/elsewhere.html'), page('Elsewhere'));
  }

  // Where a person is sent to who wants to leave, and be brought to `target` afterwards.
  logoutUrl(target) {
    return `${this.redirectUri}?logout=${encodeURIComponent(target)}`;
  }

  configure(issuer, client) {
    const load = (name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`;
    const root = process.getuid() === 0;
    if (root) chownSync(join(this.directory, 'sessions'), WWW_DATA, WWW_DATA);
    this.file = join(this.directory, 'httpd.conf');
    const lines = [
      `ServerRoot ${this.directory}`,
      `DefaultRuntimeDir ${this.directory}`,
      `PidFile ${this.directory}/httpd.pid`,
      `ErrorLog ${this.directory}/error.log`,
      'LogLevel error',
      `Listen 127.0.0.1:${this.port}`,
      `ServerName ${this.url}`,
      ...['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'dir', 'mime', 'headers', 'auth_openidc'].map(load),
      ...(root ? ['User www-data', 'Group www-data'] : []),
      'TypesConfig /etc/mime.types',
      'StartServers 1',
      `DocumentRoot ${this.directory}/pages`,
      '<Directory />',
      '  AllowOverride None',
      '</Directory>',
      'DirectoryIndex index.html',
      'Header always set Cache-Control no-store',
      `OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration`,
      `OIDCClientID ${client.id}`,
      `OIDCClientSecret ${client.secret}`,
      `OIDCRedirectURI ${this.redirectUri}`,
      `OIDCCryptoPassphrase ${randomBytes(24).toString('hex')}`,
      'OIDCScope "openid profile email"',
      'OIDCPKCEMethod S256',
      'OIDCSessionType server-cache',
      'OIDCCacheType file',
      `OIDCCacheDir ${this.directory}/sessions`,
      'OIDCRemoteUserClaim preferred_username',
      '<Location /private>',
      '  AuthType openid-connect',
      '  Require valid-user',
      '  Header always set X-Person "%{OIDC_CLAIM_preferred_username}e"',
      '</Location>',
    ];
    writeFileSync(this.file, lines.join('\n') + '\n', { mode: 0o600 });
  }

  async start() {
    const log = openSync(join(this.directory, 'output.log'), 'a');
    const child = spawn(PROGRAM, ['-D', 'FOREGROUND', '-f', this.file], { stdio: ['ignore', log, log] });
    closeSync(log);
    this.child = child;
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(String(error)));
      child.once('exit', (code, signal) => resolve(code ?? signal));
    });
    let status;
    this.ended.then((value) => (status = value));
    const deadline = Date.now() + 20_000;
    while (Date.now() < deadline && status === undefined) {
      const answer = await fetch(this.goodbye).catch(() => null);
      if (answer?.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`Apache does not serve (${status ?? 'it runs'}):\n${this.said().slice(-4000)}`);
  }

  said() {
    const read = (name) => {
      try {
        return readFileSync(join(this.directory, name), 'utf8');
      } catch {
        return '';
      }
    };
    return read('output.log') + read('error.log');
  }

  async stop() {
    if (!this.child) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await this.ended;
    clearTimeout(timer);
    this.child = undefined;
  }

  async remove() {
    await this.stop();
    if (!this.directory) return;
    writeFileSync(join(this.logs, 'apache.log'), this.said());
    rmSync(this.directory, { recursive: true, force: true });
  }

  // Whose session this cookie is, or null: asked by us, while the browser does nothing.
  async personOf(cookie) {
    const headers = { cookie: `${SESSION_COOKIE}=${cookie}` };
    const answer = await fetch(this.private, { headers, redirect: 'manual' });
    await answer.arrayBuffer();
    // A browser would be sent to sign in; the module tells us from one.
    if (answer.status === 401) return null;
    if (answer.status === 200) return answer.headers.get('x-person');
    throw new Error(`${answer.status} from Apache:\n${this.said().slice(-4000)}`);
  }
}
