// The peer of `cargo xtask bench`: oidc-provider with everything in one SQLite file.
//
//   node server.mjs DATABASE TOKENS_FILE COUNT
//
// The adapter is written for speed as far as honesty allows: prepared statements, one
// table with the indexes its look-ups need, better-sqlite3. Every write is its own
// durable commit (WAL, synchronous=FULL), because oidc-provider awaits each `upsert`
// before it goes on, and Node has no second thread that could gather several of them.
//
// Before it listens it stores COUNT access tokens, each resting on a grant of its own,
// and writes them to TOKENS_FILE (one per line, followed by 1, or 0 when it is inactive).

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { Provider } from 'oidc-provider';

const [path, tokensFile, count] = process.argv.slice(2);
const db = new Database(path);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.exec(`
  CREATE TABLE models (
    kind TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, expires_at INTEGER,
    grant_id TEXT, user_code TEXT, uid TEXT, consumed_at INTEGER,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX models_grant ON models (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX models_user_code ON models (kind, user_code) WHERE user_code IS NOT NULL;
  CREATE INDEX models_uid ON models (kind, uid) WHERE uid IS NOT NULL;
  CREATE INDEX models_expiry ON models (expires_at);
`);

const upsert = db.prepare(`
  INSERT INTO models (kind, id, payload, expires_at, grant_id, user_code, uid) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (kind, id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at,
    grant_id = excluded.grant_id, user_code = excluded.user_code, uid = excluded.uid`);
const live = '(expires_at IS NULL OR expires_at > ?)';
const find = db.prepare(`SELECT payload, consumed_at FROM models WHERE kind = ? AND id = ? AND ${live}`);
const findByUserCode = db.prepare(`SELECT payload, consumed_at FROM models WHERE kind = ? AND user_code = ? AND ${live}`);
const findByUid = db.prepare(`SELECT payload, consumed_at FROM models WHERE kind = ? AND uid = ? AND ${live}`);
const consume = db.prepare('UPDATE models SET consumed_at = ? WHERE kind = ? AND id = ?');
const destroy = db.prepare('DELETE FROM models WHERE kind = ? AND id = ?');
const revoke = db.prepare('DELETE FROM models WHERE grant_id = ?');

const now = () => Math.floor(Date.now() / 1000);
const model = (row) => {
  if (!row) return undefined;
  const payload = JSON.parse(row.payload);
  return row.consumed_at === null ? payload : { ...payload, consumed: row.consumed_at };
};

class SqliteAdapter {
  constructor(kind) {
    this.kind = kind;
  }

  async upsert(id, payload, expiresIn) {
    const expiresAt = expiresIn ? now() + expiresIn : null;
    // A grant is destroyed by its id, not together with its tokens.
    const grantId = this.kind === 'Grant' ? null : payload.grantId ?? null;
    upsert.run(this.kind, id, JSON.stringify(payload), expiresAt, grantId, payload.userCode ?? null, payload.uid ?? null);
  }

  async find(id) {
    return model(find.get(this.kind, id, now()));
  }

  async findByUserCode(userCode) {
    return model(findByUserCode.get(this.kind, userCode, now()));
  }

  async findByUid(uid) {
    return model(findByUid.get(this.kind, uid, now()));
  }

  async consume(id) {
    consume.run(now(), this.kind, id);
  }

  async destroy(id) {
    destroy.run(this.kind, id);
  }

  async revokeByGrantId(grantId) {
    revoke.run(grantId);
  }
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider('http://127.0.0.1:8080', {
  adapter: SqliteAdapter,
  clients: [
    {
      client_id: 'app',
      client_secret: 'bench-secret-of-the-app-0123456789abcdef',
      grant_types: ['authorization_code', 'client_credentials'],
      redirect_uris: ['https://app.example.org/callback'],
      response_types: ['code'],
    },
    {
      client_id: 'service',
      client_secret: 'bench-secret-of-the-service-0123456789abc',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'bench' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  scopes: ['openid', 'profile', 'email', 'bench'],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email'] },
  pkce: { required: () => false },
  features: {
    introspection: { enabled: true, allowedPolicy: () => true },
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true }, // the log-in before the measurement
  },
  ttl: {
    AccessToken: 172800, AuthorizationCode: 60, ClientCredentials: 172800, Grant: 1209600,
    IdToken: 172800, Interaction: 3600, RefreshToken: 1209600, Session: 1209600,
  },
  async findAccount(ctx, id) {
    return {
      accountId: id,
      claims: async () => ({ sub: id, name: 'Robin Doe', preferred_username: `${id}@example.org`, email: `${id}@example.org` }),
    };
  },
});

const client = await provider.Client.find('app');
const lines = [];
db.exec('BEGIN');
for (let index = 0; index < Number(count); index += 1) {
  const accountId = `person-${index % 10000}`;
  const grant = new provider.Grant({ accountId, clientId: 'app' });
  grant.addOIDCScope('openid profile email');
  const grantId = await grant.save();
  const token = new provider.AccessToken({ accountId, client, grantId, gty: 'authorization_code', scope: 'openid profile email' });
  const value = await token.save();
  // Five in a hundred are inactive: the token revoked, or the grant beneath it gone.
  const inactive = index % 20 === 0;
  if (inactive) await (index % 40 === 0 ? token : grant).destroy();
  lines.push(`${value} ${inactive ? 0 : 1}\n`);
}
db.exec('COMMIT');
writeFileSync(tokensFile, lines.join(''));

const server = provider.listen(0, '127.0.0.1', () => {
  console.log(`ready at 127.0.0.1:${server.address().port}`);
});
// Node closes idle connections after five seconds, which a measured pause may exceed.
server.keepAliveTimeout = 120_000;
process.once('SIGTERM', () => process.exit(0));
