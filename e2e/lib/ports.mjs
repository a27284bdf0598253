// Ports for what is started later than its port is chosen, or a second time on the same one. See ports.py.

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

export async function freePort() {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(20_000, 32_000);
    const listener = createServer();
    const free = await new Promise((resolve) => {
      listener.once('error', () => resolve(false));
      listener.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => listener.close(resolve));
    return port;
  }
  throw new Error('no free port between 20000 and 32000');
}
