/** When the next socket opens: after failures, at the bound of the queue, and when the device is awake. */

import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { mark, pass, push, settle, Stage, token } from './fake.mjs';

afterEach(() => mock.restoreAll());

/** A chat whose queue is full, and which has closed its socket. */
async function full() {
  const stage = new Stage({ queue: 3 });
  const socket = await stage.start();
  socket.say(push(1), push(2), push(3));
  await settle();
  assert.ok(socket.isClosed);
  return stage;
}

/** How many seconds pass, in steps of half a second, until there is another socket. */
async function secondsToNext(stage) {
  const { length } = stage.sockets;
  let ms = 0;
  for (; stage.sockets.length === length && ms < 60_000; ms += 500) await pass(500);
  return ms / 1000;
}

/** Waits a second for the next socket, as a send has begun one that failed. */
async function fullAfterFailure() {
  mock.method(Math, 'random', () => 0.999);
  const stage = await full();
  stage.chat.send({ to: 'bob', content: 'hi' });
  await settle();
  stage.socket.end(1006);
  await settle();
  return stage;
}

test('sends that come faster than a socket opens, while no events are taken, make one socket and are answered', async () => {
  const stage = await full();
  const sent = [];
  for (let count = 0; count < 5; count += 1) {
    sent.push(stage.chat.send({ to: 'bob', content: `text ${count}` }));
    await pass(60);
  }
  assert.equal(stage.sockets.length, 2);
  stage.socket.welcome();
  for (let count = 0; count < 5; count += 1) stage.socket.ok(`text ${count}`, 10 + count);
  assert.deepEqual((await Promise.all(sent)).map(({ id }) => id), ['m10', 'm11', 'm12', 'm13', 'm14']);
});

test('sends at the bound of the queue do not end the wait after a failure', async () => {
  const stage = await fullAfterFailure();
  for (let count = 0; count < 9; count += 1) {
    stage.chat.send({ to: 'bob', content: `text ${count}` });
    await pass(100);
  }
  assert.equal(stage.sockets.length, 2);
  await pass(100);
  assert.equal(stage.sockets.length, 3);
});

test('events that are taken while a socket is being made leave it, as its hello shows where they end', async () => {
  const stage = await full();
  const sent = stage.chat.send({ to: 'bob', content: 'hi' });
  await settle();
  stage.listen();
  await settle();
  assert.equal(stage.sockets.length, 2);
  stage.socket.welcome();
  assert.equal(stage.socket.resume, token(0));
  stage.socket.say(push(1), push(2), push(3), mark(4));
  stage.socket.ok('hi', 5);
  await sent;
  await settle();
  assert.deepEqual(stage.told, ['message text 1', 'message text 2', 'message text 3', 'sent hi']);
});

test('events that are taken do not end the wait after a failure', async () => {
  const stage = await fullAfterFailure();
  stage.listen();
  await pass(900);
  assert.equal(stage.sockets.length, 2);
  await pass(100);
  assert.equal(stage.sockets.length, 3);
});

test('sockets that this side has ended are no failures', async () => {
  mock.method(Math, 'random', () => 0.999);
  const stage = await full();
  for (let count = 0; count < 5; count += 1) {
    stage.chat.send({ to: 'bob', content: `text ${count}` });
    await settle();
    stage.socket.welcome();
    stage.socket.ok(`text ${count}`, 10 + count);
    await settle();
    assert.ok(stage.socket.isClosed);
  }
  stage.chat.send({ to: 'bob', content: 'hi' });
  await settle();
  stage.socket.end(1006);
  await settle();
  assert.equal(await secondsToNext(stage), 1);
});

test('hellos that are never answered are asked at growing intervals', async () => {
  mock.method(Math, 'random', () => 0.999);
  const stage = new Stage();
  const waited = [];
  await settle();
  for (let failure = 0; failure < 5; failure += 1) {
    stage.socket.onopen({});
    await pass(15_000);
    waited.push(await secondsToNext(stage));
  }
  assert.deepEqual(waited, [1, 2, 4, 8, 16]);
});

test('awake while the reason of a failed try is being asked for, the next socket opens at once', async () => {
  mock.method(Math, 'random', () => 0.999);
  const stage = new Stage({}, { '/api/v1/me': () => new Promise(() => {}) });
  await settle();
  stage.socket.end(1006);
  await settle();
  assert.deepEqual([stage.sockets.length, stage.requests.length], [1, 1]);
  stage.chat.wake();
  await settle();
  assert.equal(stage.sockets.length, 2);
  assert.ok(stage.requests[0].signal.aborted);
  assert.deepEqual(stage.statuses, [['lost', 1006, 'given up for a new try']]);
});

test('awake while a ticket is being asked for, the next one is asked for at once', async () => {
  mock.method(Math, 'random', () => 0.999);
  const stage = new Stage({ token: 'secret' }, { '/api/v1/auth/ticket': () => new Promise(() => {}) });
  await settle();
  stage.pages['/api/v1/auth/ticket'] = { ticket: 'abc' };
  stage.chat.wake();
  await settle();
  assert.deepEqual(stage.socket.protocols, ['klatsch.v1', 'ticket.abc']);
});

test("awake while the application's function gets a ticket, it is called again at once if it fails, and not before", async () => {
  mock.method(Math, 'random', () => 0.999);
  const asked = [];
  const stage = new Stage({ ticket: () => new Promise((resolve, reject) => asked.push({ resolve, reject })) });
  await settle();
  stage.chat.wake();
  await settle();
  assert.equal(asked.length, 1);
  asked[0].reject(new Error('no network'));
  await settle();
  asked[1].resolve('abc');
  await settle();
  assert.deepEqual(stage.socket.protocols, ['klatsch.v1', 'ticket.abc']);
});

test('a wake-up call that finds a ticket on its way has had its effect once the socket begins', async () => {
  mock.method(Math, 'random', () => 0.999);
  let give;
  const stage = new Stage({ ticket: () => new Promise((resolve) => (give = resolve)) });
  await settle();
  stage.chat.wake();
  give('abc');
  await settle();
  stage.socket.end(1006);
  await settle();
  assert.equal(await secondsToNext(stage), 1);
});

for (const [what, begin] of [['handshake', () => {}], ['hello', (socket) => socket.onopen({})]]) {
  test(`awake, it leaves a socket whose ${what} has no answer for 3 s, and opens the next one at once`, async () => {
    mock.method(Math, 'random', () => 0.999);
    const stage = new Stage();
    await settle();
    begin(stage.socket);
    await pass(3_000);
    stage.chat.wake();
    await settle();
    assert.equal(stage.sockets.length, 1, 'wakes come in twos, and a slow network is no hanging one');
    await pass(1);
    stage.chat.wake();
    await settle();
    assert.deepEqual([stage.sockets.length, stage.sockets[0].isClosed], [2, true]);
    assert.deepEqual(stage.requests, []);
  });
}

test('a socket that is left in its handshake may have used its ticket up, and so the next one gets another', async () => {
  let number = 0;
  const stage = new Stage({ ticket: async () => `t${(number += 1)}` });
  await settle();
  await pass(5_000);
  stage.chat.wake();
  await settle();
  assert.deepEqual(stage.sockets.map(({ protocols }) => protocols[1]), ['ticket.t1', 'ticket.t2']);
});

test('awake, it leaves a connection that is silent for longer than a heartbeat, and opens the next one at once', async () => {
  mock.method(Math, 'random', () => 0.999);
  const stage = new Stage();
  await stage.start();
  await pass(31_000);
  stage.chat.wake();
  await settle();
  assert.equal(stage.sockets.length, 2);
});

test('a wake-up call counts for one try: the next failure is waited for', async () => {
  mock.method(Math, 'random', () => 0.999);
  const stage = new Stage({}, { '/api/v1/me': () => new Promise(() => {}) });
  await settle();
  stage.socket.end(1006);
  await settle();
  stage.chat.wake();
  stage.pages['/api/v1/me'] = { username: 'ana' };
  await settle();
  stage.socket.end(1006);
  await settle();
  assert.equal(await secondsToNext(stage), 2);
});

test('a wake-up call opens no socket while no events are taken', async () => {
  const stage = await full();
  stage.chat.wake();
  await pass(60_000);
  assert.equal(stage.sockets.length, 1);
});
