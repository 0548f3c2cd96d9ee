import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { ClientIds } from '../../../clients/js/src/ids.js';
import { CONVERSATION, mark, NOW_MS, pass, push, settle, Stage } from './fake.mjs';

function send(stage, content, more = {}) {
  const promise = stage.chat.send({ conversation: CONVERSATION, content, ...more });
  promise.catch(() => {});
  return promise;
}

function contents({ sends }) {
  return sends.map(({ content }) => content);
}

test('a send is answered with its id and position, and told in its place among the events', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const sent = send(stage, 'hi');
  socket.say(push(3));
  socket.ok('hi', 4);
  socket.say(push(5));
  const { client_id, ...answer } = await sent;
  assert.deepEqual(answer, { id: 'm4', position: '1:1:4', duplicate: false });
  assert.deepEqual(Object.keys(socket.sends[0]).sort(), ['client_id', 'content', 'conversation']);
  assert.equal(socket.sends[0].client_id, client_id);
  await settle();
  assert.deepEqual(stage.told, ['message text 3', 'sent hi', 'message text 5']);
  assert.equal(stage.seen.find(({ t }) => t === 'sent').d.changed, '1:1:4');
});

test('unknown is sent again under the same client_id, and only the last answer is told', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const sent = send(stage, 'hi');
  socket.err('hi', 'unknown', { temporary: true, retry_after: 1 });
  await pass(999);
  assert.equal(socket.sends.length, 1);
  await pass(1);
  assert.equal(socket.sends.length, 2);
  assert.deepEqual(socket.sends[0], socket.sends[1]);
  socket.ok('hi', 4, true);
  assert.equal((await sent).duplicate, true);
  await settle();
  assert.deepEqual(stage.told, ['sent hi']);
});

test('after unknown the push is as good as the answer, and an answer after it is not told', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const sent = send(stage, 'hi');
  socket.err('hi', 'unknown', { temporary: true, retry_after: 1 });
  await pass(1_000);
  const [{ client_id }] = socket.sends;
  socket.say(push(4, { sender: 'ana', client_id, content: 'hi' }));
  socket.ok('hi', 4, true);
  assert.equal((await sent).position, '1:1:4');
  await pass(60_000);
  assert.deepEqual(stage.told, ['message hi']);
  assert.equal(socket.sends.length, 2);
});

test('a push while the pause after unknown lasts ends the send: it is not written again', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const sent = send(stage, 'hi');
  socket.err('hi', 'unknown', { temporary: true, retry_after: 1 });
  socket.say(push(4, { sender: 'ana', client_id: socket.sends[0].client_id }));
  assert.equal((await sent).id, 'm4');
  await pass(60_000);
  assert.equal(socket.sends.length, 1);
});

test("somebody else's message with the same client_id settles nothing", async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  send(stage, 'hi', { client_id: 'one' });
  socket.say(push(4, { sender: 'bob', client_id: 'one' }));
  socket.say(push(5, { sender: 'ana', client_id: 'one', conversation: 'another' }));
  stage.chat.send({ to: 'bob', content: 'hi', client_id: 'two' });
  socket.say(push(6, { sender: 'ana', client_id: 'two', receiver: 'carol' }));
  assert.equal(stage.chat.save().sends.length, 2);
  socket.say(push(7, { sender: 'ana', client_id: 'two', receiver: 'bob' }));
  assert.equal(stage.chat.save().sends.length, 1);
});

test('what a lost connection left unanswered goes again on the next one, in its order and under the same names', async () => {
  const stage = new Stage().listen();
  const first = await stage.start();
  const sent = ['one', 'two', 'three'].map((content) => send(stage, content));
  first.ok('one', 4);
  const second = await stage.reconnect();
  assert.deepEqual(second.sends, first.sends.slice(1));
  second.ok('two', 5, true);
  second.ok('three', 6);
  assert.deepEqual((await Promise.all(sent)).map(({ position }) => position), ['1:1:4', '1:1:5', '1:1:6']);
});

for (const code of ['rate_limited', 'unavailable', 'not_archived_yet', 'something_new']) {
  test(`${code} that is temporary is tried again, after retry_after, and holds up the others too`, async () => {
    const stage = new Stage().listen();
    const socket = await stage.start();
    send(stage, 'one');
    socket.err('one', code, { temporary: true, retry_after: 1.5 });
    send(stage, 'two');
    await pass(1_499);
    assert.deepEqual(contents(socket), ['one']);
    await pass(1);
    assert.deepEqual(contents(socket), ['one', 'one', 'two']);
  });
}

test('without retry_after the waits grow, to 15 s at most', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  send(stage, 'one');
  for (let count = 1; count < 20; count += 1) {
    socket.say(push(count));
    socket.err('one', 'unavailable', { temporary: true });
    await pass(15_000);
    assert.equal(socket.sends.length, count + 1);
  }
});

for (const code of ['forbidden', 'not_a_member', 'not_found', 'blocked', 'invalid_content', 'too_long', 'conflict', 'bad_request']) {
  test(`${code} rejects with that code, is told, and is not tried again`, async () => {
    const stage = new Stage().listen();
    const socket = await stage.start();
    const sent = send(stage, 'hi');
    socket.err('hi', code);
    await assert.rejects(sent, { name: 'ChatError', code, temporary: false });
    await pass(60_000);
    assert.equal(socket.sends.length, 1);
    assert.deepEqual(stage.told, ['refused hi']);
    assert.equal(stage.seen.at(-1).d.code, code);
    assert.deepEqual(stage.chat.save().sends, []);
  });
}

test('with window 1 nothing is written before the one before it is settled, whatever fails', async () => {
  const stage = new Stage({ window: 1 }).listen();
  const first = await stage.start();
  for (const content of ['one', 'two', 'three', 'four']) send(stage, content);
  assert.deepEqual(contents(first), ['one']);
  first.err('one', 'unknown', { temporary: true, retry_after: 1 });
  await pass(1_000);
  assert.deepEqual(contents(first), ['one', 'one']);
  const second = await stage.reconnect();
  assert.deepEqual(contents(second), ['one']);
  second.ok('one', 4, true);
  assert.deepEqual(contents(second), ['one', 'two']);
  second.err('two', 'rate_limited', { temporary: true, retry_after: 2 });
  await pass(1_999);
  assert.deepEqual(contents(second), ['one', 'two']);
  await pass(1);
  second.err('two', 'forbidden');
  assert.deepEqual(contents(second), ['one', 'two', 'two', 'three']);
  second.ok('three', 5);
  assert.deepEqual(contents(second).at(-1), 'four');
});

test('no more wait for an answer than the window and the limit of the server allow', async () => {
  for (const [window, unanswered] of [[64, 3], [3, 64]]) {
    const stage = new Stage({ window });
    await settle();
    stage.socket.welcome({ limits: { unanswered, frame: 65_536, text: 4_000 } });
    stage.socket.say(mark(0));
    for (let number = 0; number < 9; number += 1) send(stage, `text ${number}`);
    assert.equal(stage.socket.sends.length, 3);
    stage.socket.ok('text 1', 4);
    assert.equal(stage.socket.sends.length, 4);
  }
});

test('nothing is written before hello is answered and the first mark is there', async () => {
  const stage = new Stage();
  await settle();
  send(stage, 'early');
  stage.socket.onopen({});
  assert.deepEqual(stage.socket.sends, []);
  stage.socket.welcome();
  assert.deepEqual(stage.socket.sends, []);
  stage.socket.say(mark(0));
  assert.deepEqual(contents(stage.socket), ['early']);
});

test('a send without an answer for 30 s is lost with its connection, and goes again on the next one', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const sent = stage.chat.send({ to: 'bob', content: 'hi' });
  await pass(20_000);
  const later = stage.chat.send({ to: 'bob', content: 'later' });
  socket.ok('later', 2);
  await later;
  socket.say(mark(3));
  await pass(9_999);
  assert.ok(!socket.isClosed);
  await pass(1);
  assert.ok(socket.isClosed);
  assert.deepEqual(stage.statuses.at(-1), ['lost', 1006, 'a send has no answer for too long']);
  await pass(30_000);
  stage.socket.welcome();
  stage.socket.ok('hi', 5);
  assert.equal((await sent).id, 'm5');
});

test('the same client_id while it is unfinished is the same send', async () => {
  const stage = new Stage();
  const socket = await stage.start();
  const [one, again] = [send(stage, 'hi', { client_id: 'x' }), send(stage, 'hi', { client_id: 'x' })];
  assert.equal(socket.sends.length, 1);
  socket.ok('hi', 3);
  assert.deepEqual(await one, await again);
});

test('what the server would call malformed is refused here, and a frame that is too large as well', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const malformed = [{}, { content: 'x' }, { to: 'bob' }, { to: 'bob', conversation: CONVERSATION, content: 'x' }, { to: 'bob', content: 7 }, { to: 'bob', content: 'x', client_id: 'no spaces' }];
  for (const draft of malformed) await assert.rejects(stage.chat.send(draft), { code: 'bad_request' }, JSON.stringify(draft));
  await assert.rejects(send(stage, 'half \ud83c'), { code: 'invalid_content' });
  await assert.rejects(send(stage, 'ä'.repeat(33_000)), { code: 'too_long' });
  await settle();
  assert.deepEqual(socket.sends, []);
  assert.equal(stage.told.length, 1); // the one that was taken up before its size was known
});

test('more unfinished sends than 10,000 are refused', async () => {
  const stage = new Stage();
  for (let number = 0; number < 10_000; number += 1) send(stage, 'x');
  await assert.rejects(send(stage, 'x'), { code: 'rate_limited', temporary: true });
});

test('client ids are UUIDv7 by the server\'s clock, each above the one before', async () => {
  new Stage(); // its time stands still
  const ids = new ClientIds();
  ids.correct(new Date(NOW_MS + 3_600_000).toISOString());
  const made = Array.from({ length: 10_000 }, () => ids.next());
  for (const id of made) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual([...made].sort(), made);
  assert.equal(new Set(made).size, made.length);
  assert.equal(parseInt(made[0].slice(0, 8) + made[0].slice(9, 13), 16), NOW_MS + 3_600_000);
});

function timeOf(id) {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

test('a clock that was far ahead does not keep names out of the server\'s minute', async () => {
  new Stage();
  const ids = new ClientIds();
  ids.correct(new Date(NOW_MS + 3_600_000).toISOString());
  ids.next();
  ids.correct(new Date(NOW_MS).toISOString());
  assert.equal(timeOf(ids.next()), NOW_MS);
});

test('a wall clock that jumps changes no name and no pause: the monotonic clock carries the server\'s time on', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  mock.timers.setTime(NOW_MS + 3_600_000);
  send(stage, 'one');
  socket.err('one', 'unavailable', { temporary: true, retry_after: 2 });
  mock.timers.setTime(NOW_MS - 3_600_000);
  await pass(2_000);
  send(stage, 'two');
  assert.deepEqual(contents(socket), ['one', 'one', 'two']);
  assert.deepEqual(socket.sends.map(({ client_id }) => timeOf(client_id)), [NOW_MS, NOW_MS, NOW_MS + 2_000]);
});

test('what is sent before the server has said its time is named when it is written, and keeps that name', async () => {
  const stage = new Stage();
  mock.timers.setTime(NOW_MS + 3_600_000);
  const early = ['one', 'two'].map((content) => send(stage, content));
  const first = await stage.start();
  assert.deepEqual(first.sends.map(({ client_id }) => timeOf(client_id)), [NOW_MS, NOW_MS]);
  first.ok('one', 3);
  const second = await stage.reconnect();
  assert.deepEqual(second.sends, first.sends.slice(1));
  second.ok('two', 4, true);
  assert.deepEqual((await Promise.all(early)).map(({ client_id }) => client_id), first.sends.map(({ client_id }) => client_id));
});

test('what is saved before it is written is named then, and written under that name here and after a restore', async () => {
  const stage = new Stage();
  send(stage, 'hi');
  const [{ client_id }] = stage.chat.save().sends;
  assert.equal(timeOf(client_id), NOW_MS);
  const socket = await stage.start();
  assert.deepEqual(socket.sends.map((draft) => draft.client_id), [client_id]);
  assert.deepEqual(stage.chat.save().sends.map((draft) => draft.client_id), [client_id]);
});
