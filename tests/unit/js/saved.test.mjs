import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONVERSATION, mark, message, push, reset, settle, Stage, token } from './fake.mjs';

const HISTORY = `/api/v1/conversations/${CONVERSATION}/messages`;

/** Ends the chat and goes on with its state as a text, as from a file. */
async function restore(stage, options = {}, ok = {}) {
  const state = JSON.parse(JSON.stringify(stage.chat.save()));
  stage.chat.close();
  await settle();
  stage.open({ ...options, state });
  stage.listen();
  await settle();
  stage.socket.welcome(ok);
  await settle();
  return stage.socket;
}

test('a restored chat shows the token, drops what was given, and sends what was unfinished under the same names', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start(2);
  socket.say(push(3));
  const closed = ['one', 'two'].map((content) => stage.chat.send({ to: 'bob', content }).catch(({ code }) => code));
  socket.ok('one', 4);
  await settle();
  const restored = await restore(stage);
  assert.equal((await closed[0]).id, 'm4');
  assert.equal(await closed[1], 'closed');
  assert.equal(restored.resume, token(2));
  assert.deepEqual(restored.sends, [socket.sends[1]]);
  restored.say(push(3), push(4, { sender: 'ana' }), push(5));
  restored.ok('two', 6, true);
  await settle();
  assert.deepEqual(stage.told, ['message text 3', 'sent one', 'message text 5', 'sent two']);
});

test('events that were not taken when the state was saved come to the restored chat', async () => {
  const stage = new Stage();
  const socket = await stage.start(2);
  socket.say(push(3), mark(10), push(11));
  const events = stage.chat.events();
  await events.next(); // the first mark
  await events.next(); // 3
  const restored = await restore(stage);
  assert.equal(restored.resume, token(2));
  restored.say(push(3), push(11), mark(12));
  await settle();
  assert.deepEqual(stage.told, ['message text 11']);
});

test('a refusal that was not taken when the state was saved is told by the restored chat, and not sent again', async () => {
  const stage = new Stage();
  const socket = await stage.start();
  stage.chat.send({ to: 'bob', content: 'hi' }).catch(() => {});
  socket.err('hi', 'forbidden');
  const restored = await restore(stage);
  assert.deepEqual(stage.told, ['refused hi']);
  assert.deepEqual(restored.sends, []);
});

test('a restored chat goes on loading where it was, page and conversation', async () => {
  const pages = {
    [HISTORY]: { results: [message(8)], next: `https://chat.test${HISTORY}?cursor=2` },
    [`${HISTORY}?cursor=2`]: () => new Promise(() => {}),
  };
  const stage = new Stage({}, pages).listen();
  const socket = await stage.start();
  socket.say(reset(9, [CONVERSATION, 'two']), mark(9), push(10));
  await settle();
  pages[`${HISTORY}?cursor=2`] = { results: [message(7)], next: null };
  pages['/api/v1/conversations/two/messages'] = { results: [message(6)], next: null };
  const restored = await restore(stage);
  assert.equal(restored.resume, token(9));
  restored.say(push(10));
  await settle();
  const expected = [`loaded ${CONVERSATION}`, 'loaded two', 'message text 10', `reset ${CONVERSATION},two`, 'state text 6', 'state text 7', 'state text 8'];
  assert.deepEqual(stage.told.toSorted(), expected);
});

test('a saved place in a history that a later version of the server no longer reads is begun anew, and ends nothing', async () => {
  const refused = () => new Response('{"code":"bad_request","detail":"Start again without one."}', { status: 400 });
  const pages = { [HISTORY]: { results: [message(8)], next: null }, [`${HISTORY}?cursor=2`]: refused };
  const stage = new Stage({}, pages);
  const loads = [{ conversation: CONVERSATION, at_least: token(9), next: '?cursor=2', pages: 1 }];
  stage.open({ state: { ...stage.chat.save(), loads } });
  stage.listen();
  await settle();
  assert.deepEqual(stage.told, ['state text 8', `loaded ${CONVERSATION}`]);
  assert.equal(new URL(stage.requests.at(-1).path, 'https://chat.test').searchParams.get('at_least'), token(9));
});

test('a history whose second page is always refused is not begun anew for ever', async () => {
  const refused = () => new Response('{"code":"bad_request","detail":"No."}', { status: 400 });
  const pages = { [HISTORY]: { results: [message(8)], next: `https://chat.test${HISTORY}?cursor=2` }, [`${HISTORY}?cursor=2`]: refused };
  const stage = new Stage({}, pages).listen();
  (await stage.start()).say(reset(9), mark(9));
  await settle();
  await settle();
  assert.equal(stage.failed.code, 'bad_request');
  assert.equal(stage.requests.length, 4);
});

test('a page that was taken in part when the state was saved comes again as states, which an upsert does not mind', async () => {
  const stage = new Stage({}, { [HISTORY]: { results: [message(8), message(7)], next: null } });
  const socket = await stage.start();
  socket.say(reset(9), mark(9));
  const events = stage.chat.events();
  for (const expected of ['mark', 'reset', 'mark', 'state']) assert.equal((await events.next()).value.t, expected);
  await restore(stage);
  assert.deepEqual(stage.told, ['state text 8', 'state text 7', `loaded ${CONVERSATION}`]);
});

test('after a restore a reset is as good as before: what was given then counts for nothing', async () => {
  const stage = new Stage({}, { [HISTORY]: { results: [message(10)], next: null } }).listen();
  (await stage.start()).say(reset(5), mark(5), mark(9), push(10));
  await settle();
  (await stage.reconnect()).say(mark(20), push(21));
  await settle();
  const restored = await restore(stage);
  stage.seen.length = 0;
  restored.say(reset(22), mark(22));
  stage.pages[HISTORY] = { results: [message(21), message(10)], next: null };
  await settle();
  assert.deepEqual(stage.told.slice(1, 3), ['state text 21', 'state text 10']);
});

test('a saved state is a copy that the chat no longer changes', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const saved = stage.chat.save();
  const before = JSON.stringify(saved);
  socket.say(push(3), mark(4));
  stage.chat.send({ to: 'bob', content: 'hi' });
  await settle();
  assert.equal(JSON.stringify(saved), before);
  assert.notEqual(JSON.stringify(stage.chat.save()), before);
});

test("a state of somebody else's ends the chat, and nothing of it is sent", async () => {
  const stage = new Stage();
  await stage.start();
  stage.chat.send({ to: 'carol', content: 'from ana' });
  const state = stage.chat.save();
  stage.open({ state });
  stage.listen();
  await settle();
  stage.socket.welcome({ user: 'bob' });
  await settle();
  assert.deepEqual([stage.socket.sends, stage.failed.code], [[], 'not_authenticated']);
  assert.deepEqual(stage.chat.save(), state);
});

test('a state of another version is refused', () => {
  const stage = new Stage();
  assert.throws(() => stage.open({ state: { ...stage.chat.save(), v: 2 } }), TypeError);
});
