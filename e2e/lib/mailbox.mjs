// A mail server on this machine that keeps what it is given: as much SMTP as handing over a message needs.

import { createServer } from 'node:net';

export class Mailbox {
  #messages = [];
  #waiting = [];

  async open() {
    this.listener = createServer((socket) => this.#serve(socket));
    await new Promise((resolve) => this.listener.listen(0, '127.0.0.1', resolve));
    return this;
  }

  // The settings of a server that sends its mail here.
  get settings() {
    return {
      smtp_url: `smtp://127.0.0.1:${this.listener.address().port}?tls=none`,
      mail_from: 'Portolan <portolan@example.org>',
    };
  }

  close() {
    this.listener.close();
  }

  // The next message to an address, `{ recipient, text }`; it may still have to come.
  take(recipient, seconds = 15) {
    const found = this.#messages.findIndex((message) => message.recipient === recipient);
    if (found >= 0) return Promise.resolve(this.#messages.splice(found, 1)[0]);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no message came for ${recipient}`)), seconds * 1000);
      const give = (message) => {
        clearTimeout(late);
        resolve(message);
      };
      this.#waiting.push({ recipient, give });
    });
  }

  #keep(message) {
    const next = this.#waiting.findIndex((one) => one.recipient === message.recipient);
    if (next >= 0) this.#waiting.splice(next, 1)[0].give(message);
    else this.#messages.push(message);
  }

  #serve(socket) {
    let rest = '';
    let recipient = '';
    let body = null;
    const say = (line) => socket.write(`${line}\r\n`);
    socket.on('error', () => {});
    say('220 mailbox');
    socket.on('data', (data) => {
      rest += data.toString('utf8');
      for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        if (body !== null) {
          if (line === '.') {
            // Soft line breaks and the escaped = of quoted-printable.
            const text = body.join('\n').replaceAll('=\n', '').replaceAll('=3D', '=');
            this.#keep({ recipient, text });
            body = null;
            say('250 taken');
          } else {
            body.push(line.replace(/^\./, ''));
          }
        } else if (/^EHLO/i.test(line)) say('250-mailbox\r\n250 8BITMIME');
        else if (/^RCPT/i.test(line)) {
          recipient = /<(.*)>/.exec(line)?.[1] ?? '';
          say('250 ok');
        } else if (/^DATA/i.test(line)) {
          body = [];
          say('354 go on');
        } else if (/^QUIT/i.test(line)) {
          say('221 bye');
          socket.end();
        } else say('250 ok');
      }
    });
  }
}
