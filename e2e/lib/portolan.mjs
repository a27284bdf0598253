// Starts the real server for a suite, and registers the people and clients that its flows need.
//
// The environment says what to start: PORTOLAN_BIN, PORTOLAN_E2E_ENGINE (sqlite or postgres), PORTOLAN_E2E_DATABASE
// (for postgres) and PORTOLAN_E2E_DIR (an empty folder). A store belongs to one issuer, so each server gets a data
// folder of its own, and on PostgreSQL a database of its own beside the one that is given.

import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const READY = 'portolan ready at ';

// A registered https address that nothing listens on: the browsers of the suites stop before it.
export const CALLBACK = 'https://portal.example.org/callback';
export const TRANSFER_ALL = 'urn:globus:auth:scope:transfer.api.globus.org:all';

export function newPassword() {
  return `Compass-${randomBytes(12).toString('hex')} rose`;
}

function psql(database, statement) {
  const args = [database, '--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1', '--command', statement];
  const { status, error, stderr } = spawnSync('psql', args, { encoding: 'utf8', timeout: 60_000 });
  if (status !== 0) throw new Error(`psql: ${error ?? stderr}`);
}

export function workFolder(name) {
  const root = process.env.PORTOLAN_E2E_DIR || mkdtempSync(join(tmpdir(), 'portolan-e2e-'));
  mkdirSync(root, { recursive: true });
  return mkdtempSync(join(root, `${name}-`));
}

export class Server {
  // `settings` are names of the configuration and their values; they travel as PORTOLAN_* variables.
  constructor(directory, settings = {}) {
    this.binary = process.env.PORTOLAN_BIN;
    if (!this.binary) throw new Error('PORTOLAN_BIN must name the server binary');
    this.directory = directory;
    this.data = join(directory, 'data');
    this.settings = settings;
    this.output = [];
    const engine = process.env.PORTOLAN_E2E_ENGINE || 'sqlite';
    if (engine === 'postgres') this.database = process.env.PORTOLAN_E2E_DATABASE;
    else if (engine !== 'sqlite') throw new Error(`PORTOLAN_E2E_ENGINE is ${engine}, but must be sqlite or postgres`);
    if (engine === 'postgres' && !this.database) throw new Error('PORTOLAN_E2E_DATABASE is not set');
  }

  // A setting of the person who runs the tests must not reach the server under test.
  #environment() {
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PORTOLAN_'));
    const own = Object.entries(this.settings).map(([name, value]) => [`PORTOLAN_${name.toUpperCase()}`, value]);
    return { ...Object.fromEntries(kept), ...Object.fromEntries(own), NO_COLOR: '1' };
  }

  #createDatabase() {
    this.given = this.database;
    this.own = `portolan_node_${randomBytes(6).toString('hex')}`;
    psql(this.given, `CREATE DATABASE "${this.own}"`);
    const url = new URL(this.given);
    url.pathname = `/${this.own}`;
    this.database = url.href;
    // Several nodes must be able to open what one has sealed, so on PostgreSQL the operator makes the key file.
    mkdirSync(this.data, { recursive: true, mode: 0o700 });
    this.settings.master_key_file = join(this.data, 'master.key');
    writeFileSync(this.settings.master_key_file, `portolan-master-key-v1 ${randomBytes(32).toString('base64')}\n`, {
      mode: 0o600,
    });
  }

  #store() {
    return ['--data-dir', this.data, ...(this.database ? ['--database', this.database] : [])];
  }

  async start() {
    if (this.database && !this.own) this.#createDatabase();
    const child = spawn(this.binary, ['serve', ...this.#store(), '--listen', `127.0.0.1:${this.port ?? 0}`], {
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(String(error)));
      child.once('exit', (code, signal) => resolve(code ?? signal));
    });
    const log = createWriteStream(join(this.directory, 'server.log'), { flags: 'a' });
    const ready = new Promise((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          log.write(line + '\n');
          this.output.push(line);
          if (line.startsWith(READY)) resolve(line.slice(READY.length).trim());
        });
      }
    });
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, 60_000, null);
    });
    const url = await Promise.race([ready, this.ended.then(() => null), late]);
    clearTimeout(timer);
    if (!url) {
      child.kill('SIGKILL');
      throw new Error(`no line "${READY}URL" from ${this.binary}:\n${this.output.join('\n')}`);
    }
    this.url = url.replace(/\/+$/, '');
    this.port = new URL(url).port;
    this.baseUrl = this.url + '/';
    return this;
  }

  // Ends the server; its store stays, and `start` serves it again at the same address.
  async pause() {
    if (!this.child) return;
    const { child } = this;
    this.child = undefined;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    const status = await this.ended;
    clearTimeout(timer);
    if (status !== 0) throw new Error(`the server ended with ${status}:\n${this.output.slice(-20).join('\n')}`);
  }

  async stop() {
    try {
      await this.pause();
    } finally {
      if (this.own) psql(this.given, `DROP DATABASE IF EXISTS "${this.own}" WITH (FORCE)`);
      this.own = undefined;
    }
  }

  // Waits for the first line of output that matches; lines that came already count.
  async line(pattern, seconds = 10) {
    const deadline = Date.now() + seconds * 1000;
    while (Date.now() < deadline) {
      for (const line of this.output) {
        const found = line.match(pattern);
        if (found) return found;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`no line like ${pattern} within ${seconds} s:\n${this.output.join('\n')}`);
  }

  // Runs an operator command on the store of this server and returns the document that it prints.
  async command(args, stdin = '') {
    const { status, stdout, stderr } = await run(this.binary, [...args, '--format', 'json', ...this.#store()], {
      env: this.#environment(),
      stdin,
    });
    if (status !== 0) throw new Error(`portolan ${args.join(' ')} ended with ${status}: ${stderr}${stdout}`);
    return stdout.trim() ? JSON.parse(stdout) : {};
  }

  async addUser(username, name, email, ...more) {
    const password = newPassword();
    const args = ['user', 'add', username, '--name', name, '--email', email, '--password-stdin', ...more];
    const { id } = await this.command(args, password + '\n');
    const domain = this.settings.local_domain ?? 'portolan.local';
    return { id, username: `${username}@${domain}`, name, email, password };
  }

  async createClient(name, type, ...redirectUris) {
    const uris = redirectUris.flatMap((uri) => ['--redirect-uri', uri]);
    const { client } = await this.command(['client', 'create', '--name', name, '--type', type, ...uris]);
    if (!client.public_client) {
      const answer = await this.command(['client', 'secret', 'create', client.id, '--name', 'deploy']);
      client.secret = answer.credential.secret;
    }
    return client;
  }
}

export function run(command, args, { env = process.env, stdin = '', seconds = 120 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'], timeout: seconds * 1000 });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (part) => (stdout += part));
    child.stderr.setEncoding('utf8').on('data', (part) => (stderr += part));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ status: code ?? signal, stdout, stderr }));
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
  });
}
