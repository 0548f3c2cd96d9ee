import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePositions } from '../../../clients/js/src/client.js';
import { CONVERSATION, mark, message, pass, push, reset, settle, Stage, token } from './fake.mjs';

const HISTORY = `/api/v1/conversations/${CONVERSATION}/messages`;

function changed(offset, at) {
  return { t: 'message_changed', pos: `1:1:${at}`, d: message(offset, { changed: `1:1:${at}`, content: `changed at ${at}` }) };
}

function state(offset, at = offset) {
  return { t: 'state', d: { kind: 'message', ...message(offset, { changed: `1:1:${at}`, content: `state of ${at}` }) } };
}

test('positions compare by epoch, then offset, beyond 2^53 too', () => {
  assert.ok(comparePositions('1:3:9007199254740993', '1:3:9007199254740992') > 0);
  assert.ok(comparePositions('1:3:9007199254740992', '1:3:9007199254740993') < 0);
  assert.equal(comparePositions('1:3:9007199254740993', '1:3:9007199254740993'), 0);
  assert.ok(comparePositions('1:3:9', '1:3:10') < 0);
  assert.ok(comparePositions('10:3:0', '9:3:5') > 0);
});

test('a message whose id is known is dropped', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  socket.say(push(3), push(4), push(3));
  await settle();
  const next = await stage.reconnect();
  next.say(push(3), push(4), push(5), mark(6));
  await settle();
  assert.deepEqual(stage.told, ['message text 3', 'message text 4', 'message text 5']);
});

test('message_changed and state count only if their changed is newer, beyond 2^53 too', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const big = 9007199254740992n;
  socket.say(push(3), changed(3, big + 1n), changed(3, big), state(3, big), state(3, big + 1n), state(3, big + 2n), changed(3, big + 2n), state(4));
  await settle();
  const expected = ['message text 3', `message_changed changed at ${big + 1n}`, `state state of ${big + 2n}`, 'state state of 4'];
  assert.deepEqual(stage.told, expected);
});

test('a state of another kind, members and typing are passed on', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const frames = [
    { t: 'state', d: { kind: 'conversation', conversation: 'c', title: 'x' } },
    { t: 'members', pos: '1:1:3', d: { conversation: 'c', members: [] } },
    { t: 'typing', d: { conversation: 'c', user: 'bob' } },
  ];
  socket.say(...frames, frames[1]);
  await settle();
  assert.deepEqual(stage.seen.slice(1), frames);
});

test("the token is the last mark's; the positions of pushes and answers never move it", async () => {
  const stage = new Stage().listen();
  const socket = await stage.start(5);
  stage.chat.send({ to: 'bob', content: 'hi' });
  socket.say(push(90));
  socket.ok('hi', 91);
  await settle();
  const next = await stage.reconnect();
  assert.equal(next.resume, token(5));
  next.say(mark(100));
  await settle();
  assert.equal((await stage.reconnect()).resume, token(100));
});

test('what was sent is not shown again by a replay', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  stage.chat.send({ to: 'bob', content: 'hi' });
  socket.ok('hi', 4);
  await settle();
  const next = await stage.reconnect();
  next.say(push(4, { sender: 'ana', content: 'hi' }), mark(5));
  await settle();
  assert.deepEqual(stage.told, ['sent hi']);
});

test('what the application has not taken comes again after a reconnect, once', async () => {
  const stage = new Stage();
  const socket = await stage.start();
  const events = stage.chat.events();
  await events.next(); // the mark
  stage.chat.send({ to: 'bob', content: 'hi' });
  socket.say(push(3));
  socket.ok('hi', 4);
  socket.say(mark(10), push(11));
  await events.next(); // 3
  const next = await stage.reconnect();
  assert.equal(next.resume, token(0));
  next.say(push(3), push(4, { sender: 'ana', content: 'hi' }), push(11), mark(12));
  stage.listen();
  await settle();
  assert.deepEqual(stage.told, ['message hi', 'message text 11']);
});

test('a gateway that lags behind another one shows nothing twice and takes no token back', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  socket.say(push(100), mark(120), push(130));
  await settle();
  const behind = await stage.reconnect();
  behind.say(mark(90), push(100), push(130), push(131));
  await settle();
  assert.deepEqual(stage.told, ['message text 100', 'message text 130', 'message text 131']);
  assert.equal((await stage.reconnect()).resume, token(120));
});

test("another epoch's mark counts as it is, and its messages are new", async () => {
  const stage = new Stage().listen();
  const socket = await stage.start(50);
  socket.say(mark(3, 2), { ...push(4, { id: 'other', position: '2:1:4', changed: '2:1:4' }), pos: '2:1:4' });
  await settle();
  assert.deepEqual(stage.told, ['message text 4']);
  assert.equal((await stage.reconnect()).resume, token(3, 2));
});

test('what stands before a mark is forgotten: what is remembered is bounded by what comes between two marks', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  for (let offset = 1; offset < 500; offset += 1) socket.say(push(offset));
  await settle();
  assert.equal(Object.keys(stage.chat.save().known.given).length, 499);
  socket.say(mark(499));
  await settle();
  assert.deepEqual(Object.keys(stage.chat.save().known.given), ['m499']);
});

test('after a reset all pages are loaded with at_least and the bearer token, and followed by query alone', async () => {
  const pages = {
    '/api/v1/auth/ticket': { ticket: 'x' },
    [`${HISTORY}?at_least=${encodeURIComponent(token(9))}&limit=100`]: { results: [message(8), message(7)], next: `http://inside.invalid/another/path?cursor=2` },
    [`${HISTORY}?cursor=2`]: { results: [message(6)], next: null },
  };
  const stage = new Stage({ token: 'secret' }, pages).listen();
  const socket = await stage.start();
  socket.say(reset(9), mark(9), push(10));
  await settle();
  assert.deepEqual(stage.told.toSorted(), ['loaded ' + CONVERSATION, 'message text 10', 'reset ' + CONVERSATION, 'state text 6', 'state text 7', 'state text 8']);
  assert.equal(stage.told[0], 'reset ' + CONVERSATION);
  assert.deepEqual(stage.seen.at(-1).d, { conversation: CONVERSATION, whole: true });
  for (const { headers } of stage.requests) assert.deepEqual(headers, { Authorization: 'Bearer secret' });
});

test('with the session the cookie goes with the request, and to the same origin only', async () => {
  const stage = new Stage({}, { [HISTORY]: { results: [], next: null } }).listen();
  (await stage.start()).say(reset(9));
  await settle();
  assert.deepEqual([stage.requests[0].credentials, stage.requests[0].headers], ['same-origin', {}]);
});

test('of each conversation no more pages are loaded than are wanted', async () => {
  const stage = new Stage({ pages: 2 }, { [HISTORY]: { results: [message(8)], next: `https://chat.test${HISTORY}?cursor=2` } }).listen();
  (await stage.start()).say(reset(9));
  await settle();
  assert.equal(stage.requests.length, 2);
  assert.deepEqual(stage.seen.at(-1), { t: 'loaded', d: { conversation: CONVERSATION, whole: false } });
});

test('what is loaded does not undo a change that came meanwhile, and what came is not loaded again', async () => {
  let answer;
  const stage = new Stage({}, { [HISTORY]: () => new Promise((resolve) => (answer = resolve)) }).listen();
  const socket = await stage.start();
  socket.say(reset(9), mark(9), push(10), changed(8, 11), mark(20));
  await settle();
  answer({ results: [message(10), message(8), message(7)], next: null });
  await settle();
  const expected = ['message text 10', 'message_changed changed at 11', 'state text 7', `loaded ${CONVERSATION}`];
  assert.deepEqual(stage.told.slice(1), expected);
  socket.say(push(7), push(8));
  await settle();
  assert.equal(stage.told.length, 5);
});

test('after a reset what was given before counts for nothing, also where the history does not have it yet', async () => {
  const stage = new Stage({}, { [HISTORY]: { results: [message(3)], next: null } }).listen();
  const socket = await stage.start();
  socket.say(push(3), push(100), mark(120));
  await settle();
  const behind = await stage.reconnect(1006, { resumed: false });
  behind.say(reset(90), mark(90), push(100), push(101));
  await settle();
  assert.deepEqual(stage.told.slice(2).toSorted(), [`loaded ${CONVERSATION}`, 'message text 100', 'message text 101', `reset ${CONVERSATION}`, 'state text 3']);
  assert.equal((await stage.reconnect()).resume, token(90));
});

test('an archive that is behind is asked again, and sends and pushes go on meanwhile', async () => {
  const pages = { [HISTORY]: 503 };
  const stage = new Stage({}, pages).listen();
  const socket = await stage.start();
  socket.say(reset(9), mark(9), push(10));
  stage.chat.send({ to: 'bob', content: 'hi' });
  socket.ok('hi', 11);
  await settle();
  assert.deepEqual(stage.told.slice(1), ['message text 10', 'sent hi']);
  await pass(1_999);
  assert.equal(stage.requests.length, 1);
  pages[HISTORY] = { results: [message(3)], next: null };
  await pass(1_001);
  assert.equal(stage.requests.length, 2);
  assert.deepEqual(stage.told.slice(3), ['state text 3', `loaded ${CONVERSATION}`]);
});

test('a conversation that is not one\'s own any more is loaded as nothing, and the next one is loaded', async () => {
  const stage = new Stage({}, { '/api/v1/conversations/two/messages': { results: [message(3)], next: null } }).listen();
  (await stage.start()).say(reset(9, ['one', 'two']));
  await settle();
  assert.deepEqual(stage.told, ['reset one,two', 'loaded one', 'state text 3', 'loaded two']);
});

test('the next page is asked for only when the application has taken the last', async () => {
  const pages = {
    [HISTORY]: { results: [message(8)], next: `https://chat.test${HISTORY}?cursor=2` },
    [`${HISTORY}?cursor=2`]: { results: [message(7)], next: null },
  };
  const stage = new Stage({}, pages);
  (await stage.start()).say(reset(9));
  const events = stage.chat.events();
  for (const expected of ['mark', 'reset', 'state']) assert.equal((await events.next()).value.t, expected);
  await settle();
  assert.equal(stage.requests.length, 1);
  assert.equal((await events.next()).value.d.id, 'm7');
  assert.equal(stage.requests.length, 2);
});

test('at the bound of the queue the socket is closed, and it resumes from the last mark taken when all is taken', async () => {
  const stage = new Stage({ queue: 4 });
  const socket = await stage.start();
  socket.say(push(1), push(2), mark(3), push(4), push(5));
  await settle();
  assert.ok(socket.isClosed);
  await pass(60_000);
  assert.equal(stage.sockets.length, 1);
  stage.listen();
  await settle();
  assert.equal(stage.sockets.length, 2);
  stage.socket.welcome();
  assert.equal(stage.socket.resume, token(3));
  stage.socket.say(push(4), push(5), mark(6));
  await settle();
  assert.deepEqual(stage.told, ['message text 1', 'message text 2', 'message text 4', 'message text 5']);
});

test('at the bound of the queue sends still go, so a loop that awaits them goes on', async () => {
  const stage = new Stage({ queue: 4 });
  const socket = await stage.start();
  let echoed;
  const loop = (async () => {
    for await (const { t, d } of stage.chat.events()) {
      if (t === 'message') stage.seen.push({ t, d });
      if (t === 'message' && d.id === 'm1') echoed = await stage.chat.send({ to: 'bob', content: 'echo' });
    }
  })();
  for (let offset = 1; offset < 9; offset += 1) {
    socket.say(push(offset));
    await settle();
  }
  assert.equal(socket.isClosed, false);
  socket.ok('echo', 9);
  await settle();
  assert.equal(echoed.id, 'm9');
  assert.ok(socket.isClosed);
  stage.socket.welcome();
  for (let offset = 1; offset < 10; offset += 1) stage.socket.say(push(offset));
  await settle();
  assert.deepEqual(stage.told, Array.from({ length: 9 }, (_, index) => `message text ${index + 1}`));
  stage.chat.close();
  await loop;
});

test('a send at the bound of the queue opens a socket for itself, whose pushes are not kept', async () => {
  const stage = new Stage({ queue: 3 });
  const socket = await stage.start();
  socket.say(push(1), push(2), push(3));
  await settle();
  assert.ok(socket.isClosed);
  const sent = stage.chat.send({ to: 'bob', content: 'hi' });
  await settle();
  stage.socket.welcome();
  stage.socket.say(push(1), push(2), push(3), mark(50));
  stage.socket.ok('hi', 51);
  assert.equal((await sent).id, 'm51');
  assert.ok(stage.socket.isClosed);
  stage.listen();
  await settle();
  stage.socket.welcome();
  assert.equal(stage.socket.resume, token(0));
  stage.socket.say(push(1), push(2), push(3), push(51), mark(60));
  await settle();
  assert.deepEqual(stage.told, ['message text 1', 'message text 2', 'message text 3', 'message text 51']);
});

test('at the bound of the queue nothing is dropped for known while a reset waits in it', async () => {
  const stage = new Stage({ queue: 3 }, { [HISTORY]: { results: [], next: null } });
  const socket = await stage.start();
  const events = stage.chat.events();
  socket.say(push(100));
  for (const expected of ['mark', 'message']) assert.equal((await events.next()).value.t, expected);
  socket.say(reset(90), push(100), mark(101), push(102));
  stage.listen();
  await settle();
  assert.equal(stage.told[0], `reset ${CONVERSATION}`);
  assert.ok(stage.told.includes('message text 100'));
});

test('a page that was asked for before another reset is not what that one gets', async () => {
  const asked = [];
  const stage = new Stage({}, { [HISTORY]: (url) => new Promise((answer) => asked.push({ url, answer })) }).listen();
  const socket = await stage.start();
  socket.say(reset(9), mark(9));
  await settle();
  (await stage.reconnect(1006, { resumed: false })).say(reset(20), mark(20));
  await settle();
  asked[0].answer({ results: [message(8)], next: null });
  await settle();
  assert.equal(asked[1].url.searchParams.get('at_least'), token(20));
  asked[1].answer({ results: [message(15), message(8)], next: null });
  await settle();
  assert.deepEqual(stage.told.slice(2), ['state text 15', 'state text 8', `loaded ${CONVERSATION}`]);
});

test('marks that nobody takes wait as one', async () => {
  const stage = new Stage({ queue: 4 });
  const socket = await stage.start();
  for (let offset = 1; offset < 100; offset += 1) socket.say(mark(offset));
  await settle();
  assert.equal(socket.isClosed, false);
  assert.deepEqual((await stage.chat.events().next()).value, mark(99));
});
