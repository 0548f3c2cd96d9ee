/** What the server says and cannot be read: it is dropped and told of, and the stream goes on behind it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONVERSATION, mark, message, pass, push, reset, settle, Stage, token } from './fake.mjs';

const HISTORY = `/api/v1/conversations/${CONVERSATION}/messages`;
const POISON = [
  'no JSON',
  '{"t":"message","pos":"1:1:5","d":',
  '[]',
  'null',
  '7',
  '{}',
  '{"t":7}',
  '{"t":"message","pos":"1:1:5"}',
  '{"t":"message","pos":"1:1:5","d":"text"}',
  '{"t":"message","pos":"none","d":{}}',
  JSON.stringify({ t: 'message', pos: '1:1:5', d: message(5, { id: ['m'] }) }),
  JSON.stringify({ t: 'message_changed', pos: '1:1:5', d: message(5, { changed: 'later' }) }),
  JSON.stringify({ t: 'state', d: { kind: 'message', ...message(5, { position: 5 }) } }),
  '{"t":"state","d":null}',
  '{"t":"members","pos":"1:1:5","d":{"conversation":"one"}}',
  '{"t":"reset","d":{"conversations":"one","at_least":"1.x.0:5"}}',
  '{"t":"mark","resume":"1.x.0:none"}',
  '{"t":"mark"}',
  '{"re":99,"ok":"yes"}',
  '{"re":99,"err":{"code":"unknown","retry_after":"soon"}}',
  new ArrayBuffer(4),
];

test('frames that cannot be read are dropped with a warning, and what follows comes once and moves the token', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  for (const data of POISON) socket.onmessage({ data });
  socket.say(push(6), mark(7));
  await settle();
  assert.equal(stage.warnings.length, POISON.length);
  for (const warning of stage.warnings) assert.match(warning, /cannot be read was dropped/);
  const next = await stage.reconnect(4301);
  assert.equal(next.resume, token(7));
  for (const data of POISON) next.onmessage({ data });
  next.say(push(8));
  await settle();
  assert.deepEqual(stage.told, ['message text 6', 'message text 8']);
  assert.equal(stage.failed, null);
});

test('a frame that cannot be read before the first mark of a replay is left behind by that mark', async () => {
  const stage = new Stage().listen();
  await stage.start(5);
  const next = await stage.reconnect();
  for (const data of POISON) next.onmessage({ data });
  next.say(push(8), mark(9));
  await settle();
  assert.deepEqual(stage.told, ['message text 8']);
  assert.equal((await stage.reconnect()).resume, token(9));
});

test('an answer to a send that cannot be read is none: the send goes again on the next connection', async () => {
  const stage = new Stage().listen();
  const socket = await stage.start();
  const sent = stage.chat.send({ to: 'bob', content: 'hi' });
  socket.answer('hi', { ok: { id: 7 } });
  const next = await stage.reconnect();
  next.ok('hi', 4, true);
  assert.equal((await sent).id, 'm4');
});

test('rows of a history that cannot be read are left out with a warning, and the others are told', async () => {
  const rows = [message(8), null, message(7, { position: 'x' }), 'text', message(6)];
  const stage = new Stage({}, { [HISTORY]: { results: rows, next: null } }).listen();
  (await stage.start()).say(reset(9));
  await settle();
  assert.deepEqual(stage.told.slice(1), ['state text 8', 'state text 6', `loaded ${CONVERSATION}`]);
  assert.match(stage.warnings[0], /^3 messages of .* were dropped/);
});

for (const page of [() => new Response('<html>'), [], { results: 7 }, {}]) {
  test(`what is no page of a history (${typeof page === 'function' ? 'HTML' : JSON.stringify(page)}) is asked for again`, async () => {
    const pages = { [HISTORY]: page };
    const stage = new Stage({}, pages).listen();
    (await stage.start()).say(reset(9));
    await settle();
    pages[HISTORY] = { results: [message(3)], next: null };
    await pass(30_000);
    assert.deepEqual(stage.told.slice(1), ['state text 3', `loaded ${CONVERSATION}`]);
  });
}

/** Numbers from 0 to 1, always the same ones for a seed. */
function chance(seed) {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

const JUNK = [null, true, 0, -1, 1e300, '', 'x', '1:1:5', '9'.repeat(40), [], [1], {}, { id: 'm' }, '__proto__', token(5)];

/** The frame with some field, somewhere in it, as another value or gone. */
function spoil(frame, random) {
  const spoiled = structuredClone(frame);
  for (let place = spoiled; ; ) {
    const names = Object.keys(place);
    const name = names[Math.floor(random() * names.length)];
    if (typeof place[name] === 'object' && place[name] && Object.keys(place[name]).length && random() < 0.7) place = place[name];
    else if (random() < 0.2) return delete place[name] && spoiled;
    else return Object.assign(place, { [name]: JUNK[Math.floor(random() * JUNK.length)] }) && spoiled;
  }
}

test('whatever field of a frame is another, the events and the token go on behind it', async () => {
  const members = { t: 'members', pos: '1:1:3', d: { conversation: CONVERSATION, members: [{ user: 'bob', active: true }] } };
  const changed = { t: 'message_changed', pos: '1:1:9', d: message(5, { changed: '1:1:9' }) };
  const state = { t: 'state', d: { kind: 'message', ...message(5) } };
  const answers = [{ re: 2, ok: { id: 'm9', position: '1:1:9', duplicate: false } }, { re: 2, err: { code: 'unknown', temporary: true, retry_after: 1 } }];
  const frames = [push(5), changed, state, members, reset(9), { t: 'typing', d: { conversation: 'c', user: 'bob' } }, ...answers];
  for (let seed = 1; seed <= 400; seed += 1) {
    const random = chance(seed * 7_919);
    const stage = new Stage({}, { [HISTORY]: { results: [], next: null } }).listen();
    const socket = await stage.start();
    stage.chat.send({ to: 'bob', content: 'hi' }).catch(() => {});
    for (const frame of frames) socket.say(spoil(frame, random));
    socket.say(push(500), mark(501));
    await settle();
    assert.equal(stage.failed, null, `seed ${seed}: ${stage.failed}`);
    assert.ok(stage.told.includes('message text 500'), `seed ${seed}`);
    assert.equal(JSON.parse(JSON.stringify(stage.chat.save())).known.token, token(501), `seed ${seed}`);
    stage.chat.close();
  }
});
