/** Functions of the application's that raise or call the chat again: the chat goes on, and the console says what they raised. */

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { View } from '../../../clients/js/src/client.js';
import { CONVERSATION, mark, message, push, reset, settle, Stage } from './fake.mjs';

const raised = [];
globalThis.reportError = ({ message: text }) => raised.push(text);
beforeEach(() => raised.splice(0));

const raise = (text) => {
  throw new Error(text);
};

test('a chat whose application raises when a status is told connects again, ends, and reports each', async () => {
  const stage = new Stage().listen();
  stage.chat.onstatus = (status) => raise(status);
  const sent = stage.chat.send({ to: 'bob', content: 'hi' });
  await stage.start();
  await stage.reconnect();
  stage.socket.ok('hi', 5);
  assert.equal((await sent).id, 'm5');
  const events = stage.chat.events();
  stage.chat.close();
  assert.equal((await events.next()).done, true);
  assert.deepEqual(raised, ['open', 'lost', 'open', 'closed']);
});

test('a warning that raises leaves what comes behind it, and a history that is loaded', async () => {
  const path = `/api/v1/conversations/${CONVERSATION}/messages`;
  const stage = new Stage({}, { [path]: { results: [{ id: 'no message' }, message(3)], next: null } }).listen();
  stage.chat.onwarning = () => raise('warned');
  const socket = await stage.start();
  socket.say({ t: 'message', d: null }, push(1), reset(4));
  await settle();
  assert.deepEqual(stage.told, ['message text 1', `reset ${CONVERSATION}`, 'state text 3', `loaded ${CONVERSATION}`]);
  assert.deepEqual(raised, ['warned', 'warned']);
});

test('a view whose application raises gets every event, and so does the loop', async () => {
  const view = new View({ onchange: () => raise('changed') });
  const stage = new Stage({ view }).listen();
  const socket = await stage.start();
  socket.say(push(1), push(2));
  const sent = stage.chat.send({ to: 'bob', content: 'hi' });
  socket.ok('hi', 5);
  await sent;
  await stage.reconnect();
  assert.deepEqual(stage.told, ['message text 1', 'message text 2', 'sent hi']);
  assert.deepEqual(view.messages(CONVERSATION).map(({ id }) => id), ['m1', 'm2']);
  assert.ok(raised.length >= 5);
});

test('an application that marks whenever its view changes makes one mark of what is read already', async () => {
  const view = new View({ onchange: () => stage.chat.mark(CONVERSATION, { read: '1:1:1' }) });
  const stage = new Stage({ view }).listen();
  const socket = await stage.start();
  socket.say(push(1), push(2), mark(3));
  await settle();
  assert.deepEqual(stage.told, ['message text 1', 'message text 2']);
  assert.deepEqual(socket.written.filter(({ op }) => op === 'mark').map(({ d }) => d), [{ conversation: CONVERSATION, read: '1:1:1' }]);
});
