/** The store over chats that end: what is unsent then, when another chat begins, and what stays in the browser. */

import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { CONVERSATION, mark, Memory, message, NOW_MS, pass, push, reset, settle } from './fake.mjs';
import { load } from './page.mjs';

const { Store } = await load('store.js');
const ANA = { id: 'u-ana', username: 'ana', display_name: '' };

class Socket {
  protocol = 'klatsch.v1';
  written = [];

  constructor() {
    sockets.push(this);
  }

  send(text) {
    this.written.push(JSON.parse(text));
  }

  close() {}

  say(...frames) {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  end(code) {
    this.onclose?.({ code, reason: '' });
  }

  get sends() {
    return this.written.filter(({ op }) => op === 'send').map(({ d }) => d);
  }

  ok({ client_id }) {
    const { id } = this.written.findLast(({ d }) => d.client_id === client_id);
    this.say({ re: id, ok: { id: 'm1', position: '1:1:1', duplicate: false } });
  }
}

let sockets;
let told;
/** Answers below /api/v1/, by path: a body, a status, or null for a proxy that has no server behind it. */
let answers;
let asked;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: NOW_MS });
  [sockets, told, asked] = [[], [], []];
  answers = { me: ANA, conversations: { results: [], next: null } };
  const fetch = async (/** @type {URL} */ url) => {
    const path = url.pathname.replace('/api/v1/', '');
    asked.push(path);
    const answer = answers[path];
    if (answer === null) return new Response('<html>', { status: 404 });
    return typeof answer === 'number' ? new Response('{"code":"not_authenticated"}', { status: answer }) : new Response(JSON.stringify(answer));
  };
  const document = { baseURI: 'https://chat.test/', cookie: '' };
  const dispatchEvent = ({ type }) => told.push(type);
  for (const [name, value] of Object.entries({ fetch, document, dispatchEvent, WebSocket: Socket, localStorage: new Memory(), navigator: {} })) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
});

/** Answers the last socket's hello, and sends its mark. */
async function welcome() {
  await settle();
  const socket = sockets.at(-1);
  socket.onopen();
  const limits = { unanswered: 64, frame: 65_536, text: 4_000 };
  socket.say({ re: 1, ok: { user: 'ana', resumed: true, heartbeat: 25, now: new Date(NOW_MS).toISOString(), limits } }, mark(1));
  await settle();
  return socket;
}

/** A proxy without a server behind it: the next handshake fails, and the chat ends. */
async function deploy(socket) {
  answers.me = null;
  socket.end(4301);
  await settle();
  for (let tries = 0; sockets.at(-1) === socket && tries < 60; tries += 1) await pass(500);
  assert.notEqual(sockets.at(-1), socket);
  sockets.at(-1).end(1006);
  await settle();
}

const unsent = (store) => store.outgoing.outbox.entries.map(({ content, failed }) => [content, failed]);
const asks = () => asked.filter((path) => path === 'me').length;

test('a message whose answer is outstanding when the chat ends stays waiting, and goes under its own name', async () => {
  const store = new Store(ANA);
  const first = await welcome();
  store.outgoing.send({ conversation: CONVERSATION, content: 'hello' });
  assert.equal(first.sends.length, 1);
  await deploy(first);
  store.outgoing.send({ conversation: CONVERSATION, content: 'written meanwhile' });
  await settle();
  assert.deepEqual(unsent(store), [['hello', null], ['written meanwhile', null]]);

  answers.me = ANA;
  await pass(30_000);
  const next = await welcome();
  assert.equal(next.sends[0].client_id, first.sends[0].client_id);
  next.ok(next.sends[0]);
  await settle();
  assert.deepEqual(next.sends.map(({ content }) => content), ['hello', 'written meanwhile']);
  next.ok(next.sends[1]);
  await settle();
  assert.deepEqual(unsent(store), []);
  store.close();
});

test('an edit whose answer is outstanding when the chat ends stays waiting', async () => {
  const store = new Store(ANA);
  const socket = await welcome();
  const edited = store.outgoing.edit({ id: 'm1', position: '1:1:1', conversation: CONVERSATION, changed: '1:1:1' }, 'better');
  await deploy(socket);
  await edited;
  assert.deepEqual(unsent(store), [['better', null]]);
  store.close();
});

test('after a chat that has ended another one begins once the server answers, and it is asked less and less often', async () => {
  const store = new Store(ANA);
  const socket = await welcome();
  await deploy(socket);
  assert.equal(store.status.kind, 'lost');
  const before = sockets.length;
  let seen = asks();
  const perMinute = [];
  for (let minute = 0; minute < 5; minute += 1) {
    for (let second = 0; second < 60; second += 1) await pass(1_000);
    perMinute.push(asks() - seen);
    seen = asks();
  }
  assert.ok(perMinute[0] >= 5 && perMinute[0] > perMinute[4] && perMinute[4] >= 2 && perMinute[4] <= 4, String(perMinute));
  assert.equal(sockets.length, before);
  answers.me = ANA;
  await pass(30_000);
  await welcome();
  assert.equal(sockets.length, before + 1);
  assert.equal(store.status.kind, 'open');
  store.close();
});

test('a wake-up call does not wait for the next question, and asks also where the chat has ended for good', async () => {
  const store = new Store(ANA);
  await settle();
  sockets[0].onopen();
  sockets[0].end(4403);
  await settle();
  assert.equal(store.status.kind, 'ended');
  await pass(600_000);
  assert.deepEqual([sockets.length, asks()], [1, 0]);
  store.wake();
  await welcome();
  assert.deepEqual([sockets.length, store.status.kind], [2, 'open']);

  await deploy(sockets[1]);
  await pass(30_000);
  const before = [sockets.length, asks()];
  store.wake();
  await settle();
  assert.deepEqual([sockets.length, asks()], [before[0], before[1] + 1]);
  answers.me = ANA;
  store.wake();
  await settle();
  assert.equal(sockets.length, before[0] + 1);
  store.close();
});

test('a session that was refused a few times is left, and no proxy ends it', async () => {
  const store = new Store(ANA);
  const socket = await welcome();
  answers.me = null;
  socket.end(4401);
  await settle();
  await pass(30_000);
  await pass(30_000);
  await pass(30_000);
  assert.deepEqual(told.filter((type) => type === 'klatsch:signed-out'), []);
  answers.me = 401;
  for (let tries = 0; tries < 3; tries += 1) await pass(30_000);
  assert.deepEqual(told.filter((type) => type === 'klatsch:signed-out'), ['klatsch:signed-out']);
  store.close();
});

test('a socket that is refused while the server answers for this person is tried again less and less often', async () => {
  const store = new Store(ANA);
  await welcome();
  /** Refuses each socket as soon as it is made, for so many seconds. */
  const refuse = async (seconds) => {
    const before = sockets.length;
    for (let second = 0; second < seconds; second += 1) {
      await pass(1_000);
      for (let last = null; last !== sockets.at(-1) && sockets.length < before + 100; ) {
        last = sockets.at(-1);
        last.end(4401);
        await settle();
      }
    }
    return sockets.length - before;
  };
  const perMinute = [];
  for (let minute = 0; minute < 4; minute += 1) perMinute.push(await refuse(60));
  assert.ok(perMinute[0] >= 4 && perMinute[0] <= 10 && perMinute[3] >= 2 && perMinute[3] <= 4, String(perMinute));
  await pass(30_000);
  await welcome();
  assert.equal(store.status.kind, 'open');
  await pass(11_000);
  const before = sockets.length;
  sockets.at(-1).end(4401);
  await settle();
  assert.equal(sockets.length, before + 1); // the chat before was there for a while
  store.close();
});

test('chats that never open are begun less and less often, whenever the first one has', async () => {
  const store = new Store(ANA);
  const first = await welcome();
  await pass(11_000);
  first.end(4301);
  await pass(2_000);
  const perMinute = [];
  let ended = null;
  for (let minute = 0; minute < 5; minute += 1) {
    const before = sockets.length;
    for (let second = 0; second < 60; second += 1) {
      await pass(1_000);
      if (sockets.at(-1) !== ended) {
        ended = sockets.at(-1);
        answers.me = null; // the library asks why no socket opens, and its chat ends
        ended.end(1006);
        await settle();
        answers.me = ANA;
      }
    }
    perMinute.push(sockets.length - before);
  }
  assert.equal(store.status.kind, 'lost');
  assert.ok(perMinute[0] >= 3 && perMinute[0] <= 10 && perMinute[4] >= 2 && perMinute[4] <= 4, String(perMinute));
  store.close();
});

test('a session that has become that of somebody else is left', async () => {
  const store = new Store(ANA);
  const socket = await welcome();
  answers.me = { id: 'u-bob', username: 'bob' };
  socket.end(4401);
  for (let tries = 0; tries < 4; tries += 1) await pass(30_000);
  assert.deepEqual([sockets.length, told.at(-1)], [1, 'klatsch:signed-out']);
  store.close();
});

test('a store that is closed begins no other chat', async () => {
  const store = new Store(ANA);
  const socket = await welcome();
  await deploy(socket);
  const before = sockets.length;
  answers.me = ANA;
  store.close();
  await pass(600_000);
  assert.equal(sockets.length, before);
});

test('signing out leaves what another account, whose name begins with this one\'s and a dot, has not sent', async () => {
  const other = new Store({ ...ANA, id: 'u-other', username: 'ana.smith' });
  const named = new Store({ ...ANA, id: 'u-named', username: 'ana.outbox' });
  for (const store of [other, named]) {
    store.outgoing.send({ conversation: CONVERSATION, content: `of ${store.me.username}` });
    store.drafts.set('c1', { text: `draft of ${store.me.username}` });
    store.close();
  }
  const ana = new Store(ANA);
  await settle();
  assert.deepEqual(unsent(ana), []);
  ana.outgoing.send({ conversation: CONVERSATION, content: 'of ana' });
  ana.drafts.set('c1', { text: 'draft of ana' });
  assert.equal(localStorage.length, 6);
  ana.forget();
  ana.close();
  assert.equal(localStorage.length, 4);
  for (const username of ['ana.smith', 'ana.outbox']) {
    const again = new Store({ ...ANA, username });
    await settle();
    assert.deepEqual(unsent(again), [[`of ${username}`, null]]);
    assert.equal(again.drafts.get('c1').text, `draft of ${username}`);
    again.close();
  }
});

test('of a conversation that a reset has emptied nothing is shown until its page has come, whether one looks at it or not', async () => {
  const place = `conversations/${CONVERSATION}/messages`;
  answers[place] = { results: [message(2), message(1)], next: null };
  const store = new Store(ANA);
  const socket = await welcome();
  const history = store.history(CONVERSATION);
  await history.loadNewest();
  answers[place] = 503;
  socket.say(reset(9), push(9));
  await settle();
  assert.deepEqual([history.isLoaded, history.messages], [false, []]);
  answers[place] = { results: [message(8), message(2), message(1)], next: null };
  await pass(30_000);
  assert.deepEqual(history.messages.map(({ id }) => id), ['m1', 'm2', 'm8', 'm9']);
  store.close();
});

test('an answer from before one has left a conversation does not bring it back, and a later one does', async () => {
  const group = { id: CONVERSATION, kind: 'group', title: 'Choir', members: [], unread: 0, updated_at: '', last_message: null };
  const place = `conversations/${CONVERSATION}`;
  const members = (offset, active) => ({ t: 'members', pos: `1:1:${offset}`, d: { conversation: CONVERSATION, kind: 'group', members: [{ user: 'ana', active }] } });
  answers.conversations = { results: [group], next: 'https://chat.test/api/v1/conversations?after=1' };
  answers[place] = group;
  const store = new Store(ANA);
  const socket = await welcome();
  assert.equal(store.conversations.all.length, 1);
  const { fetch } = globalThis;
  let come = () => {};
  const coming = new Promise((resolve) => (come = resolve));
  globalThis.fetch = (...given) => coming.then(() => fetch(...given));
  const asked = [store.refresh(CONVERSATION), store.loadMore()];
  socket.say(members(2, false));
  await settle();
  come();
  await Promise.all(asked);
  assert.deepEqual(store.conversations.all, []);
  socket.say(members(3, true));
  await settle();
  assert.equal(store.conversations.all.length, 1);
  store.close();
});

test('a refused question takes a conversation out also of answers to what was asked before, but of none to what is asked later', async () => {
  const group = { id: CONVERSATION, kind: 'group', title: 'Choir', members: [], unread: 0, updated_at: '', last_message: null };
  const place = `conversations/${CONVERSATION}`;
  answers.conversations = { results: [group], next: 'https://chat.test/api/v1/conversations?after=1' };
  const store = new Store(ANA);
  await welcome();
  const { fetch } = globalThis;
  /** Lets what is asked now be answered when the test says so. */
  const hold = () => {
    const held = Promise.withResolvers();
    globalThis.fetch = (...given) => held.promise.then(() => fetch(...given));
    return held.resolve;
  };
  const [list, refused] = [hold(), store.loadMore()];
  globalThis.fetch = async () => new Response('{"code":"not_found"}', { status: 404, headers: { 'Content-Type': 'application/problem+json' } });
  assert.equal(await store.refresh(CONVERSATION), undefined);
  list();
  await refused;
  assert.deepEqual(store.conversations.all, []);

  answers[place] = group;
  const late = Promise.withResolvers();
  globalThis.fetch = () => late.promise.then(() => new Response('{"code":"not_found"}', { status: 404 }));
  const earlier = store.refresh(CONVERSATION);
  const [answer, later] = [hold(), store.refresh(CONVERSATION)];
  late.resolve();
  await earlier;
  answer();
  assert.equal((await later)?.title, 'Choir');
  store.close();
});

test('a marker that is told again does not bring back "unread from here", and its end is no end of a later one', async () => {
  const read = '1:1:2';
  const last = message(9);
  const row = { id: CONVERSATION, kind: 'direct', title: '', members: [], unread: 0, updated_at: '', last_message: last, markers: { read: '1:1:1', delivered: last.position } };
  answers.conversations = { results: [row], next: null };
  answers[`conversations/${CONVERSATION}`] = 503;
  const store = new Store(ANA);
  const socket = await welcome();
  const flag = () => store.conversations.get(CONVERSATION).unread_from ?? null;
  const marker = (offset, more) => ({ t: 'marker', pos: `1:1:${offset}`, d: { conversation: CONVERSATION, user: 'ana', delivered: null, read: null, ...more } });
  const hear = async (...frames) => {
    socket.say(...frames);
    await settle();
    return flag();
  };
  assert.equal(await hear(marker(20, { unread_from: '1:1:5' })), '1:1:5');
  assert.equal(await hear(marker(21, { read, unread_from: null })), null);
  assert.equal(await hear(marker(20, { unread_from: '1:1:5' })), null);
  assert.equal(await hear({ t: 'state', d: { kind: 'marker', ...marker(20, { unread_from: '1:1:5' }).d, changed: '1:1:20' } }), null);

  assert.equal(await hear(marker(30, { unread_from: '1:1:6' })), '1:1:6');
  assert.equal(await hear(marker(25, { read: '1:1:4' })), '1:1:6');
  assert.equal(await hear(marker(31, { read: '1:1:9' })), null);
  assert.equal(await hear(marker(30, { unread_from: '1:1:6' })), null);

  assert.equal(await hear(marker(40, { unread_from: '1:1:7' })), '1:1:7');
  store.markRead(CONVERSATION, '1:1:9');
  assert.equal(flag(), null);
  await pass(2_000);
  const { id } = socket.written.findLast(({ op }) => op === 'mark');
  assert.equal(await hear({ re: id, ok: { delivered: '1:1:9', read: '1:1:9', unread_from: null } }), null);
  assert.equal(await hear(marker(40, { unread_from: '1:1:7' })), null);
  store.close();
});

test('what is marked as unread keeps its number until that is read', async () => {
  const last = message(9);
  const row = { id: CONVERSATION, kind: 'direct', title: '', members: [], unread: 3, unread_from: '1:1:7', updated_at: '', last_message: last, markers: { read: last.position, delivered: last.position } };
  answers.conversations = { results: [row], next: null };
  const store = new Store(ANA);
  const socket = await welcome();
  const unread = () => store.conversations.get(CONVERSATION).unread;
  socket.say({ t: 'marker', pos: '1:1:20', d: { conversation: CONVERSATION, user: 'ana', delivered: last.position, read: last.position } });
  await settle();
  assert.equal(unread(), 3);
  store.markRead(CONVERSATION, '1:1:8');
  assert.equal(unread(), 0);
  store.close();
});
