/** What belongs to a session: it ends with it, and no answer to an earlier session ends the one that has begun since. */

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Memory, pass, settle } from './fake.mjs';
import { load } from './page.mjs';

const window = new EventTarget();
const answers = [];
/** Locks as a browser has them: each is held until the promise of who holds it resolves. */
const held = new Set();
const locks = {
  async request(name, hold) {
    held.add(name);
    await hold();
    held.delete(name);
  },
  query: async () => ({ held: [...held].map((name) => ({ name })) }),
};

class Socket {
  close() {}
}

mock.timers.enable({ apis: ['setTimeout'] });
for (const [name, value] of Object.entries({
  addEventListener: (...given) => window.addEventListener(...given),
  dispatchEvent: (event) => window.dispatchEvent(event),
  document: { baseURI: 'https://chat.test/', cookie: '', querySelector: () => null },
  fetch: (url) => (url.pathname.endsWith('/invitations') ? new Promise((resolve) => answers.push(resolve)) : Promise.resolve(new Response('{"results":[]}'))),
  localStorage: new Memory(),
  navigator: { locks },
  WebSocket: Socket,
})) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

const { get } = await load('api.js');
const { session, signedIn, startSession } = await load('session.js');
const refused = () => new Response('{"code":"not_authenticated"}', { status: 401 });
startSession();

test('a late refusal of an earlier session ends no session that has begun since', async () => {
  signedIn({ id: 'u-ana', username: 'ana', display_name: '' });
  await pass(1_000);
  const asked = [1, 2].map(() => assert.rejects(get('invitations')));
  answers[0](refused());
  await asked[0];
  assert.equal(session.me, null);
  await pass(1_000);
  signedIn({ id: 'u-bob', username: 'bob', display_name: '' });
  answers[1](refused());
  await asked[1];
  assert.equal(session.me?.username, 'bob');
  await pass(1_000);
  const last = assert.rejects(get('invitations'));
  answers[2](refused());
  await last;
  assert.equal(session.me, null);
  await settle();
});

test('what was not sent when a session ended waits for the same person who signs in again in this tab', async () => {
  const ana = { id: 'u-ana', username: 'ana', display_name: '' };
  signedIn(ana);
  await settle();
  session.store.outgoing.send({ conversation: 'c1', content: 'not sent yet' });
  window.dispatchEvent(new CustomEvent('klatsch:signed-out'));
  await settle();
  assert.equal(held.size, 0);
  signedIn(ana);
  await settle();
  assert.deepEqual(session.store.outgoing.outbox.entries.map(({ content }) => content), ['not sent yet']);
  window.dispatchEvent(new CustomEvent('klatsch:signed-out'));
});
