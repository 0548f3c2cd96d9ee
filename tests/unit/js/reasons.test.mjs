/** What is not a lost connection: it ends with words that help, or goes on and says why there is none. */

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Chat } from '../../../clients/js/src/client.js';
import { CONVERSATION, mark, message, pass, reset, settle, Stage } from './fake.mjs';

const HISTORY = `/api/v1/conversations/${CONVERSATION}/messages`;

function problem(status, code) {
  return new Response(code ? JSON.stringify({ code, detail: `${code}.` }) : '<html>', { status });
}

test('without a WebSocket, as in Node 20, it says so at once and what to do', () => {
  const { WebSocket } = globalThis;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => new Chat({ url: 'https://chat.test' }), /use Node 22, or give one as the option WebSocket/);
  } finally {
    globalThis.WebSocket = WebSocket;
  }
});

for (const url of ['chat.test', 'ws://chat.test/ws', 'ftp://chat.test', 'https://ana:secret@chat.test', '']) {
  test(`${url || 'nothing'} is no address of a server`, () => assert.throws(() => new Chat({ url }), TypeError));
}

for (const token of ['', 'read-from-a-file\n', 'two words', 'ünïcode']) {
  test(`${JSON.stringify(token)} is no token`, () => assert.throws(() => new Chat({ url: 'https://chat.test', token }), /A token is/));
}

for (const [status, code, says] of [
  [404, 'not_found', /There is no Klatsch at https:\/\/chat\.test\//],
  [404, null, /HTTP 404: there is no Klatsch at this address/],
  [403, null, /answers HTTP 403/],
  [401, null, /answers HTTP 401/],
]) {
  test(`where no socket opens and HTTP says ${status} ${code ?? 'in HTML'}, it ends and says what it is`, async () => {
    const stage = new Stage({}, { '/api/v1/me': problem(status, code) }).listen();
    await settle();
    stage.socket.end(1006);
    await settle();
    assert.match(stage.failed.message, says);
    assert.deepEqual(stage.statuses, [['closed', undefined, stage.failed.message]]);
    await pass(60_000);
    assert.equal(stage.sockets.length, 1);
  });
}

test('a redirect is not followed with the token, and ends it with the address to use', async () => {
  const redirect = new Response('', { status: 308, headers: { Location: 'https://elsewhere.test/api/v1/auth/ticket' } });
  const stage = new Stage({ token: 'secret' }, { '/api/v1/auth/ticket': redirect }).listen();
  await settle();
  assert.match(stage.failed.message, /redirect to https:\/\/elsewhere\.test/);
  assert.equal(stage.requests[0].redirect, 'manual');
});

for (const [what, answer, says] of [
  ['503', () => problem(503, 'unavailable'), /unavailable/],
  ['502 in HTML', () => problem(502, null), /HTTP 502/],
  ['that one is not signed in', () => problem(401, 'not_authenticated'), /no WebSocket opens: what stands before it must pass upgrades/],
  ['who one is', () => ({ username: 'ana' }), /no WebSocket opens: what stands before it must pass upgrades/],
  ['nothing, as the host is not found', () => new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND') }), /fetch failed: getaddrinfo ENOTFOUND/],
]) {
  test(`where no socket opens and HTTP says ${what}, it is tried again, and each status says why`, async () => {
    const stage = new Stage({}, { '/api/v1/me': answer }).listen();
    for (let count = 1; count < 4; count += 1) {
      await settle();
      stage.socket.end(1006);
      await settle();
      assert.equal(stage.statuses.length, count);
      const [status, code, reason] = stage.statuses.at(-1);
      assert.deepEqual([status, code], ['lost', 1006]);
      assert.match(reason, says);
      await pass(30_000);
    }
    assert.equal(stage.failed, null);
  });
}

test('a ticket that cannot be had for now is in the status too', async () => {
  const stage = new Stage({ ticket: () => Promise.reject(new Error('no network')) }).listen();
  await settle();
  await pass(30_000);
  assert.deepEqual(stage.statuses, [['lost', undefined, 'Error: no network'], ['lost', undefined, 'Error: no network']]);
});

test('a ticket that is refused without a reason is asked for again', async () => {
  const tickets = [() => Promise.reject(), () => Promise.reject(null), async () => 'third'];
  const stage = new Stage({ ticket: () => tickets.shift()() });
  await settle();
  await pass(30_000);
  await pass(30_000);
  assert.deepEqual(stage.sockets.map(({ protocols }) => protocols), [['klatsch.v1', 'ticket.third']]);
  assert.deepEqual(stage.statuses, [['lost', undefined, 'undefined'], ['lost', undefined, 'null']]);
});

test('a proxy that says when to come again is believed', async () => {
  mock.method(Math, 'random', () => 0);
  const away = () => new Response('<html>', { status: 503, headers: { 'Retry-After': '7' } });
  const pages = { '/api/v1/auth/ticket': away };
  const stage = new Stage({ token: 'secret' }, pages);
  await settle();
  pages['/api/v1/auth/ticket'] = { ticket: 'abc' };
  await pass(6_999);
  assert.equal(stage.sockets.length, 0);
  await pass(1);
  assert.equal(stage.sockets.length, 1);
});

test('what answers without a ticket in it is tried again, as a page that stands before the network may go', async () => {
  const pages = { '/api/v1/auth/ticket': () => new Response('<html>') };
  const stage = new Stage({ token: 'secret' }, pages).listen();
  await settle();
  assert.match(stage.statuses[0][2], /is not Klatsch/);
  pages['/api/v1/auth/ticket'] = { ticket: 'abc' };
  await pass(30_000);
  assert.deepEqual(stage.socket.protocols, ['klatsch.v1', 'ticket.abc']);
});

test('a ticket whose socket never opened is used again for 20 s, and after them another one', async () => {
  mock.method(Math, 'random', () => 0.5);
  const ticket = mock.fn(async () => `t${ticket.mock.callCount()}`);
  const stage = new Stage({ ticket });
  for (let ms = 0; ms < 60_000; ms += 500) {
    await pass(500);
    if (!stage.socket.isClosed) stage.socket.end(1006);
  }
  const used = stage.sockets.map(({ protocols }) => protocols[1]);
  assert.ok(stage.sockets.length >= 6);
  assert.ok(ticket.mock.callCount() <= 3, `${ticket.mock.callCount()} tickets for ${used}`);
  mock.restoreAll();
});

test('4401 to a ticket of an earlier try means that it is used up, and to a new one that it is over', async () => {
  let number = 0;
  const stage = new Stage({ ticket: async () => `t${(number += 1)}` }).listen();
  await settle();
  stage.socket.end(1006);
  await settle();
  await pass(1_000);
  assert.deepEqual(stage.socket.protocols[1], 'ticket.t1');
  stage.socket.onopen({});
  stage.socket.end(4401);
  await settle();
  await pass(30_000);
  assert.equal(stage.failed, null);
  assert.deepEqual(stage.socket.protocols[1], 'ticket.t2');
  stage.socket.onopen({});
  stage.socket.end(4401);
  await settle();
  assert.equal(stage.failed.code, 'not_authenticated');
});

test('a WebSocket that cannot be made is an error, and no lost connection', async () => {
  const refusing = class {
    constructor() {
      throw new DOMException('An insecure WebSocket may not be initiated from a secure page.', 'SecurityError');
    }
  };
  const stage = new Stage({ WebSocket: refusing }).listen();
  await settle();
  assert.match(stage.failed.message, /No WebSocket can be made for wss:\/\/chat\.test\/ws.*insecure/);
});

for (const [what, spoil] of [
  ['another protocol', (socket) => { socket.protocol = ''; socket.onopen({}); }],
  ['hello with nonsense', (socket) => { socket.onopen({}); socket.say({ re: 1, ok: { user: 'ana' } }); }],
]) {
  test(`a server that answers ${what} does not speak klatsch.v1, which ends it`, async () => {
    const stage = new Stage().listen();
    await settle();
    spoil(stage.socket);
    await settle();
    assert.match(stage.failed.message, /does not speak klatsch\.v1/);
  });
}

test('a server that says much and never answers hello is given up after 15 s', async () => {
  const stage = new Stage();
  await settle();
  stage.socket.onopen({});
  for (let second = 0; second < 15; second += 1) {
    stage.socket.say({ t: 'weather' });
    await pass(1_000);
  }
  await pass(30_000);
  assert.equal(stage.sockets.length, 2);
});

test('below a path prefix everything stays below it: the socket, REST, and the pages that a proxy names otherwise', async () => {
  const pages = {
    '/chat/api/v1/auth/ticket': { ticket: 'x' },
    [`/chat${HISTORY}?cursor=2`]: { results: [message(6)], next: null },
    [`/chat${HISTORY}`]: { results: [message(8)], next: `http://inside.invalid${HISTORY}?cursor=2` },
  };
  for (const url of ['https://chat.test/chat', 'https://chat.test/chat/?page=1#top']) {
    const stage = new Stage({ token: 'secret', url }, pages).listen();
    const socket = await stage.start();
    assert.equal(socket.url, 'wss://chat.test/chat/ws');
    socket.say(reset(9), mark(9));
    await settle();
    assert.deepEqual(stage.told.slice(1), ['state text 8', 'state text 6', `loaded ${CONVERSATION}`]);
    for (const { path } of stage.requests) assert.ok(path.startsWith('/chat/api/v1/'), path);
  }
});

test('a page of a history that was saved with its path, as by versions before, is followed by its query', async () => {
  const pages = { [`/chat${HISTORY}?cursor=2`]: { results: [message(6)], next: null } };
  const stage = new Stage({ url: 'https://chat.test/chat' }, pages);
  const state = { ...stage.chat.save(), loads: [{ conversation: CONVERSATION, at_least: '1.x.0:5', next: `${HISTORY}?cursor=2`, pages: 1 }] };
  stage.chat.close();
  stage.open({ url: 'https://chat.test/chat', state });
  stage.listen();
  await settle();
  assert.deepEqual(stage.told, ['state text 6', `loaded ${CONVERSATION}`]);
});

test('a history that a proxy does not find is no history that is gone: it ends, and nothing is passed over in silence', async () => {
  const stage = new Stage({}, { [HISTORY]: () => new Response('<html>', { status: 404 }) }).listen();
  (await stage.start()).say(reset(9));
  await settle();
  assert.match(stage.failed.message, /HTTP 404: there is no Klatsch/);
});

test('a history that cannot be loaded for now is warned of, unless the server itself says to wait', async () => {
  const pages = { [HISTORY]: () => new TypeError('fetch failed') };
  const stage = new Stage({}, pages).listen();
  (await stage.start()).say(reset(9));
  await settle();
  assert.deepEqual(stage.warnings, ['A history cannot be loaded now: TypeError: fetch failed']);
  pages[HISTORY] = 503;
  await pass(30_000);
  assert.equal(stage.warnings.length, 1);
});
