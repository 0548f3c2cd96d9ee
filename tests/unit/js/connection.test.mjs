import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { ChatError } from '../../../clients/js/src/client.js';
import { mark, pass, push, settle, Stage, token } from './fake.mjs';

afterEach(() => mock.restoreAll());

test('a socket offers klatsch.v1 alone where the cookie signs in, and hello shows no token at first', async () => {
  const stage = new Stage();
  await settle();
  assert.equal(stage.socket.url, 'wss://chat.test/ws');
  assert.deepEqual(stage.socket.protocols, ['klatsch.v1']);
  assert.deepEqual(stage.socket.written, []);
  stage.socket.welcome();
  assert.deepEqual(stage.socket.written, [{ id: 1, op: 'hello', d: { resume: null } }]);
});

test('each socket offers a ticket of its own from the caller', async () => {
  let number = 0;
  const stage = new Stage({ ticket: async () => `t${(number += 1)}` });
  await stage.start();
  await stage.reconnect();
  assert.deepEqual(
    stage.sockets.map(({ protocols }) => protocols),
    [
      ['klatsch.v1', 'ticket.t1'],
      ['klatsch.v1', 'ticket.t2'],
    ],
  );
});

test('with a bearer token the ticket comes from REST, and the token is in no address', async () => {
  const stage = new Stage({ token: 'secret' }, { '/api/v1/auth/ticket': { ticket: 'abc' } });
  await settle();
  assert.deepEqual(stage.socket.protocols, ['klatsch.v1', 'ticket.abc']);
  const [{ path, method, headers }] = stage.requests;
  assert.deepEqual([path, method, headers], ['/api/v1/auth/ticket', 'POST', { Authorization: 'Bearer secret' }]);
});

test('a ticket that is refused ends the chat, and one that cannot be had now is asked for again', async () => {
  const refusals = [new Error('no network'), new ChatError('unavailable', '', { temporary: true }), new ChatError('not_authenticated')];
  const ticket = mock.fn(() => Promise.reject(refusals.shift()));
  const stage = new Stage({ ticket }).listen();
  await settle();
  assert.equal(ticket.mock.callCount(), 1);
  await pass(30_000);
  await pass(30_000);
  assert.equal(ticket.mock.callCount(), 3);
  assert.equal(stage.failed.code, 'not_authenticated');
  assert.deepEqual(stage.sockets, []);
});

for (const code of [4301, 4302, 4303, 4304, 4399, 1000, 1001, 1005, 1006, 1011, 1012, 1013]) {
  test(`after a close with ${code} it resumes from the last mark`, async () => {
    const stage = new Stage().listen();
    await stage.start(5);
    stage.socket.say(push(7), mark(10), push(12));
    await settle();
    await stage.reconnect(code);
    assert.equal(stage.socket.resume, token(10));
    assert.equal(stage.failed, null);
  });
}

for (const [code, name] of [[1002, 'stopped'], [1003, 'stopped'], [1007, 'stopped'], [1008, 'stopped'], [1009, 'stopped'], [4400, 'bad_request'], [4401, 'not_authenticated'], [4403, 'forbidden'], [4429, 'rate_limited'], [4499, 'stopped']]) {
  test(`after a close with ${code} it stops with an error, and what was not sent is saved`, async () => {
    const stage = new Stage().listen();
    await stage.start();
    const sent = stage.chat.send({ to: 'bob', content: 'hi' });
    stage.socket.end(code, 'because');
    await assert.rejects(sent, { name: 'ChatError', code: name, close: code, message: 'because' });
    await pass(60_000);
    assert.equal(stage.failed.close, code);
    assert.equal(stage.sockets.length, 1);
    await assert.rejects(stage.chat.send({ to: 'bob', content: 'more' }), { close: code });
    assert.deepEqual(stage.chat.save().sends.map(({ content }) => content), ['hi']);
    assert.deepEqual(stage.statuses.at(-1), ['closed', code, 'because']);
  });
}

test('waits are anything up to a bound that doubles to 30 s, and begin anew after a steady connection', async () => {
  mock.method(Math, 'random', () => 0.999);
  const stage = new Stage();
  const waited = [];
  await settle();
  for (let failure = 0; failure < 9; failure += 1) {
    const { length } = stage.sockets;
    stage.socket.end(1006);
    await settle();
    let ms = 0;
    for (; stage.sockets.length === length; ms += 500) await pass(500);
    waited.push(ms / 1000);
  }
  assert.deepEqual(waited, [1, 2, 4, 8, 16, 30, 30, 30, 30]);
  stage.socket.welcome();
  await pass(11_000);
  stage.socket.end(4301);
  await settle();
  const { length } = stage.sockets;
  await pass(500);
  assert.equal(stage.sockets.length, length + 1);
});

test('the jitter is full: a wait may be nothing', async () => {
  mock.method(Math, 'random', () => 0);
  const stage = new Stage();
  await settle();
  for (const expected of [2, 3, 4]) {
    stage.socket.end(1006);
    await settle();
    await pass(0);
    assert.equal(stage.sockets.length, expected);
  }
});

test('no frame for two heartbeats and the grace is a lost connection, and what the old socket still says is nothing', async () => {
  const stage = new Stage().listen();
  const old = await stage.start();
  await pass(59_000);
  old.say(mark(1));
  await pass(59_000);
  assert.equal(stage.sockets.length, 1);
  await pass(1_000);
  assert.ok(old.isClosed);
  old.say(push(3));
  await pass(30_000);
  assert.equal(stage.sockets.length, 2);
  assert.deepEqual(stage.told, []);
});

test('a handshake or a hello that gets no answer in 15 s is given up', async () => {
  const stage = new Stage();
  await settle();
  await pass(15_000);
  await pass(30_000);
  assert.equal(stage.sockets.length, 2);
  stage.socket.onopen({});
  await pass(15_000);
  await pass(30_000);
  assert.equal(stage.sockets.length, 3);
});

test('a hello that is refused for now is said again, and one that is refused for good ends the chat', async () => {
  const stage = new Stage().listen();
  await settle();
  stage.socket.say({ re: 1, err: { code: 'unavailable', detail: 'later', temporary: true } });
  await settle();
  await pass(30_000);
  assert.equal(stage.sockets.length, 2);
  stage.socket.say({ re: 1, err: { code: 'bad_request', detail: 'never', temporary: false } });
  await settle();
  assert.equal(stage.failed.message, 'never');
});

test('a credential that has become somebody else\'s ends the chat, and nothing is sent in their name', async () => {
  const stage = new Stage().listen();
  const sent = stage.chat.send({ to: 'carol', content: 'from ana' });
  sent.catch(() => {});
  await stage.start();
  await stage.reconnect(1006, { user: 'bob' });
  stage.socket.say(mark(5));
  await settle();
  await assert.rejects(sent, { code: 'not_authenticated', message: "This chat is ana's, and the credential is bob's." });
  assert.deepEqual([stage.socket.sends, stage.failed.code, stage.chat.user], [[], 'not_authenticated', 'ana']);
  assert.equal(stage.chat.save().sends[0].content, 'from ana');
});

test('unknown pushes and unknown fields are ignored', async () => {
  const stage = new Stage().listen();
  await stage.start();
  stage.socket.say({ t: 'weather', d: { rain: true } }, { re: 99, ok: {} }, { re: null, err: {} }, { ...push(3), more: 1 });
  await settle();
  assert.deepEqual(stage.told, ['message text 3']);
});

test('close ends the events and the socket, and no other one is opened', async () => {
  const stage = new Stage();
  await stage.start();
  const events = stage.chat.events();
  await events.next(); // the mark
  const next = events.next();
  stage.chat.close();
  assert.deepEqual(await next, { value: undefined, done: true });
  assert.ok(stage.socket.isClosed);
  await pass(60_000);
  assert.equal(stage.sockets.length, 1);
  await assert.rejects(stage.chat.send({ to: 'bob', content: 'late' }), { code: 'closed' });
});

test('two loops may not wait for events at once: each would miss what the other gets, and one the end', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  await assert.rejects(stage.chat.events().next(), /two loops that take events/);
  socket.say(push(1));
  await settle();
  assert.deepEqual(stage.told, ['message text 1']);
});

test('the status tells when the connection comes and goes', async () => {
  const stage = new Stage();
  await stage.start();
  await stage.reconnect(4301);
  assert.equal(stage.chat.user, 'ana');
  assert.deepEqual(stage.statuses, [['open'], ['lost', 4301, 'closed with 4301'], ['open']]);
});
