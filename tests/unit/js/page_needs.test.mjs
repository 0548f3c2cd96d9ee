/** What an application that shows a chat needs beside its events: names for an outbox, a wake-up call, places in a history. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { View } from '../../../clients/js/src/client.js';
import { CONVERSATION, mark, message, pass, settle, Stage } from './fake.mjs';

test('a name may be asked for before the send, and the send keeps it', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const name = stage.chat.name();
  assert.match(name, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  stage.chat.send({ to: 'bob', content: 'hi', client_id: name });
  assert.equal(socket.sends[0].client_id, name);
});

test('a wake-up call ends the wait for the next connection', async () => {
  const stage = new Stage();
  const socket = await stage.start();
  socket.end(1006);
  await settle();
  assert.equal(stage.sockets.length, 1);
  stage.chat.wake();
  await settle();
  assert.equal(stage.sockets.length, 2);
});

test('a wake-up call leaves a connection on which something came, and one that is being made', async () => {
  const stage = new Stage();
  const socket = await stage.start();
  await pass(29_000);
  stage.chat.wake();
  socket.say(mark(1));
  await settle();
  assert.deepEqual([stage.sockets.length, socket.isClosed], [1, false]);
});

test('a wake-up call gives a connection up on which nothing came for longer than a heartbeat', async () => {
  const stage = new Stage();
  const socket = await stage.start();
  await pass(31_000);
  stage.chat.wake();
  await settle();
  stage.chat.wake();
  await settle();
  assert.deepEqual([stage.sockets.length, socket.isClosed], [2, true]);
});

test('a wake-up call to a chat that has ended does nothing', async () => {
  const stage = new Stage();
  await stage.start();
  stage.chat.close();
  stage.chat.wake();
  await settle();
  assert.equal(stage.sockets.length, 1);
});

test('a history is read from a place, both ways, and one message by its id; all come into the view', async () => {
  const at = `/api/v1/conversations/${CONVERSATION}/messages`;
  const view = new View();
  const stage = new Stage({ view }, {
    [`${at}?limit=2&newer_than=1%3A1%3A3`]: { results: [message(5), message(4)], next: `https://x.test${at}?cursor=n`, previous: `https://x.test${at}?cursor=p` },
    [`${at}?cursor=p`]: { results: [message(6)], next: null, previous: null },
    '/api/v1/messages/m3': message(3),
    [`/api/v1/conversations/${CONVERSATION}`]: { id: CONVERSATION },
    [`/api/v1/conversations/${CONVERSATION}/markers`]: { results: [{ user: 'bob', delivered: '1:1:3', read: null }], next: null },
  });
  const { archive } = stage.chat;
  assert.equal((await archive.message('m3')).position, '1:1:3');
  const page = await archive.history(CONVERSATION, { newer_than: '1:1:3', older_than: undefined, limit: 2 });
  await archive.history(CONVERSATION, { after: page.previous });
  assert.deepEqual(view.messages(CONVERSATION).map(({ id }) => id), ['m3', 'm4', 'm5', 'm6']);
  assert.equal((await archive.conversation(CONVERSATION)).id, CONVERSATION);
  await archive.markers(CONVERSATION);
  assert.deepEqual(view.markers(CONVERSATION).bob, { delivered: '1:1:3', read: null });
});
