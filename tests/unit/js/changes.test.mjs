/** Changes, marks and signals: tried again under one name, told in their place, seen at once. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { View } from '../../../clients/js/src/client.js';
import { CONVERSATION, mark, message, pass, push, reset, settle, Stage, token } from './fake.mjs';

const HISTORY = `/api/v1/conversations/${CONVERSATION}/messages`;
const LIMITS = { unanswered: 64, frame: 65_536, text: 4_000 };

function delta(t, offset, id, d = {}) {
  return { t, pos: `1:1:${offset}`, d: { id, conversation: CONVERSATION, by: 'bob', ...d } };
}

function edited(offset, id, content) {
  return delta('message_edited', offset, id, { content, mentions: [], edited_at: '2026-11-24T12:00:00.000Z' });
}

function reacted(offset, id, user = 'bob', on = true) {
  return delta('reaction', offset, id, { emoji: '👍', on, user });
}

function quiet(promise) {
  promise.catch(() => {});
  return promise;
}

/** The frames of an operation. */
function asked({ written }, ...ops) {
  return written.filter(({ op }) => ops.includes(op));
}

function ok(socket, { id }, offset, duplicate = false) {
  socket.say({ re: id, ok: { id: 'change', position: `1:1:${offset}`, duplicate } });
}

function err(socket, { id }, code, more = {}) {
  socket.say({ re: id, err: { code, detail: `${code}.`, temporary: false, ...more } });
}

async function begin(options = {}, pages = {}) {
  const view = new View();
  const stage = new Stage({ view, ...options }, pages).listen();
  const socket = await stage.start();
  socket.say(push(1), push(2));
  await settle();
  return { stage, socket, view, first: message(1) };
}

test('what the server alone knows of a change is taken from its answer', async () => {
  const { stage, socket, view, first } = await begin();
  quiet(stage.chat.edit(first, 'hi @bob and @nobody'));
  quiet(stage.chat.pin({ id: 'm2', position: '1:1:2' }, true));
  await settle();
  const [edit, pin] = asked(socket, 'edit', 'pin');
  const at = '2026-11-24T13:00:00.000Z';
  socket.say({ re: edit.id, ok: { id: 'e', position: '1:1:5', duplicate: false, edited_at: at, mentions: ['bob'] } });
  socket.say({ re: pin.id, ok: { id: 'p', position: '1:1:6', duplicate: false, at } });
  await settle();
  assert.deepEqual([view.message('m1').mentions, view.message('m1').edited_at], [['bob'], at]);
  assert.equal(view.message('m2').pinned_at, at);
});

test('each change is written as the protocol asks for', async () => {
  const { stage, socket, first } = await begin();
  const target = { id: 'm2', position: '1:1:2' };
  for (const made of [
    stage.chat.edit(first, 'hi!', { base: '1:1:1', client_id: 'c1' }),
    stage.chat.delete(target, { client_id: 'c2' }),
    stage.chat.react({ id: 'm3', position: '1:1:3' }, '👍', false, { client_id: 'c3' }),
    stage.chat.pin({ id: 'm4', position: '1:1:4' }, true, { client_id: 'c4' }),
  ]) quiet(made);
  stage.chat.mark(CONVERSATION, { read: '1:1:2' });
  assert.deepEqual(socket.written.slice(1).map(({ op, d }) => [op, d]), [
    ['edit', { client_id: 'c1', message: 'm1', position: '1:1:1', content: 'hi!', base: '1:1:1' }],
    ['delete', { client_id: 'c2', message: 'm2', position: '1:1:2' }],
    ['react', { client_id: 'c3', message: 'm3', position: '1:1:3', emoji: '👍', on: false }],
    ['pin', { client_id: 'c4', message: 'm4', position: '1:1:4', on: true }],
    ['mark', { conversation: CONVERSATION, read: '1:1:2' }],
  ]);
});

test('a change goes again under the same name after unknown and a lost connection, and is told in its place', async () => {
  const { stage, socket, first } = await begin();
  const made = stage.chat.edit(first, 'edited');
  err(socket, asked(socket, 'edit')[0], 'unknown', { temporary: true, retry_after: 1 });
  await pass(1_000);
  const next = await stage.reconnect();
  next.say(mark(3), reacted(4, 'm1'));
  const frames = [...asked(socket, 'edit'), ...asked(next, 'edit')];
  assert.equal(frames.length, 3);
  for (const { d } of frames) assert.deepEqual(d, frames[0].d);
  ok(next, frames[2], 5);
  next.say(push(6));
  assert.deepEqual(await made, { client_id: frames[0].d.client_id, id: 'change', position: '1:1:5', duplicate: false });
  await settle();
  assert.deepEqual(stage.seen.filter(({ t }) => t !== 'mark').slice(2).map(({ t, pos }) => [t, pos]), [
    ['reaction', '1:1:4'], ['message_edited', '1:1:5'], ['message', '1:1:6'],
  ]);
});

test('an answer before the first mark of a connection tells nothing: the replay does', async () => {
  const { stage, view, first } = await begin();
  const made = stage.chat.edit(first, 'edited');
  const next = await stage.reconnect();
  ok(next, asked(next, 'edit')[0], 5, true);
  assert.equal((await made).duplicate, true);
  next.say(reacted(4, 'm1'), { ...edited(5, 'm1', 'edited'), d: { ...edited(5, 'm1', 'edited').d, by: 'ana' } }, mark(6));
  await settle();
  const { content, reactions, changed, pending } = view.message('m1');
  assert.deepEqual({ content, reactions, changed, pending }, { content: 'edited', reactions: { '👍': ['bob'] }, changed: '1:1:5', pending: undefined });
});

test('what is pending is seen at once, until its own event is given, and no more when it is refused', async () => {
  const { stage, socket, view, first } = await begin();
  const changes = [];
  view.onchange = (conversation) => changes.push(conversation);
  const shown = () => [view.message('m1').content, (view.message('m1').pending ?? []).map(({ op }) => op)];
  const made = stage.chat.edit(first, 'edited');
  const late = quiet(stage.chat.react(first, '👍'));
  assert.deepEqual(shown(), ['edited', ['edit', 'react']]);
  assert.deepEqual(view.messages(CONVERSATION)[0].reactions, { '👍': ['ana'] });
  assert.equal(changes.length, 2);
  ok(socket, asked(socket, 'edit')[0], 5);
  assert.deepEqual(shown(), ['edited', ['edit', 'react']], 'its event is not given yet');
  await made;
  await settle();
  assert.deepEqual(shown(), ['edited', ['react']]);
  err(socket, asked(socket, 'react')[0], 'forbidden');
  await assert.rejects(late, { code: 'forbidden' });
  await settle();
  assert.deepEqual(shown(), ['edited', []]);
  assert.equal(view.message('m1').reactions, undefined);
  assert.ok(changes.length >= 4);
});

for (const [code, more] of [['gone', {}], ['conflict', { changed: '1:1:9' }], ['not_found', {}], ['blocked', {}]]) {
  test(`a change that is answered ${code} rejects with that, is told, and is not tried again`, async () => {
    const { stage, socket, view, first } = await begin();
    const made = quiet(stage.chat.edit(first, 'edited', { base: '1:1:1' }));
    err(socket, asked(socket, 'edit')[0], code, more);
    await assert.rejects(made, { name: 'ChatError', code, ...more });
    await pass(60_000);
    assert.equal(asked(socket, 'edit').length, 1);
    const { t, d } = stage.seen.at(-1);
    assert.deepEqual([t, d.op, d.message, d.code, d.changed], ['refused', 'edit', 'm1', code, more.changed]);
    assert.equal(view.message('m1').content, 'text 1');
  });
}

test('changes of one message wait for each other, so that a new try overtakes none', async () => {
  const { stage, socket, first } = await begin();
  quiet(stage.chat.react(first, '👍', true, { client_id: 'on' }));
  quiet(stage.chat.react(first, '👍', false, { client_id: 'off' }));
  quiet(stage.chat.react(message(2), '👍', true, { client_id: 'other' }));
  const names = () => asked(socket, 'react').map(({ d }) => d.client_id);
  assert.deepEqual(names(), ['on', 'other']);
  err(socket, asked(socket, 'react')[0], 'unknown', { temporary: true, retry_after: 1 });
  await pass(1_000);
  assert.deepEqual(names(), ['on', 'other', 'on']);
  ok(socket, asked(socket, 'react')[2], 7);
  assert.deepEqual(names(), ['on', 'other', 'on', 'off']);
});

test('what was begun is saved, and goes on under the same names; what is malformed is refused here', async () => {
  const { stage, socket, first } = await begin();
  quiet(stage.chat.edit(first, 'edited'));
  quiet(stage.chat.delete(first));
  stage.chat.mark(CONVERSATION, { read: '1:1:2' });
  const state = JSON.parse(JSON.stringify(stage.chat.save()));
  stage.chat.close();
  assert.deepEqual(state.sends.map(({ op }) => op), ['edit', 'delete', 'mark']);
  stage.open({ state });
  const next = await stage.start();
  await settle();
  assert.deepEqual(asked(next, 'edit')[0].d, asked(socket, 'edit')[0].d);
  ok(next, asked(next, 'edit')[0], 3);
  assert.equal(asked(next, 'delete')[0].d.client_id, state.sends[1].client_id);
  for (const made of [
    () => stage.chat.edit(first), () => stage.chat.edit({ id: 'm1' }, 'x'), () => stage.chat.react(first, 7),
    () => stage.chat.pin(first, 'yes'), () => stage.chat.delete(first, { client_id: 'no spaces' }),
  ]) await assert.rejects(made(), { code: 'bad_request' });
  await assert.rejects(stage.chat.edit(first, '\ud83c'), { code: 'invalid_content' });
  assert.throws(() => stage.chat.mark(CONVERSATION, {}), { code: 'bad_request' });
});

test('marks are written as one, once a second at most, and again after a lost connection', async () => {
  const { stage, socket, view } = await begin();
  const marks = (from) => asked(from, 'mark').map(({ d }) => [d.delivered, d.read]);
  const accept = (from, read) => from.say({ re: asked(from, 'mark').at(-1).id, ok: { delivered: null, read } });
  for (const read of ['1:1:5', '1:1:9', '1:1:7']) stage.chat.mark(CONVERSATION, { read });
  stage.chat.mark(CONVERSATION, { delivered: '1:1:11' });
  assert.deepEqual(marks(socket), [[undefined, '1:1:5']]);
  assert.deepEqual(view.markers(CONVERSATION), { ana: { delivered: '1:1:11', read: '1:1:9' } });
  accept(socket, '1:1:5');
  await pass(999);
  assert.equal(marks(socket).length, 1);
  await pass(1);
  assert.deepEqual(marks(socket), [[undefined, '1:1:5'], ['1:1:11', '1:1:9']]);
  accept(socket, '1:1:9');
  stage.chat.mark(CONVERSATION, { read: '1:1:9' });
  await settle();
  assert.deepEqual(view.markers(CONVERSATION).ana.read, '1:1:9');
  const next = await stage.reconnect();
  next.say(mark(12));
  await settle();
  accept(next, '1:1:9');
  await pass(1_000);
  assert.deepEqual(marks(next), [[undefined, '1:1:9'], ['1:1:11', '1:1:9']], 'the server may have lost it with the connection');
  accept(next, '1:1:9');
  await pass(60_000);
  assert.deepEqual(marks(await stage.reconnect()), []);
});

const FLAGGED = { conversation: CONVERSATION, user: 'ana', delivered: null, read: null, unread_from: '1:1:4' };
const LEFT = { conversation: CONVERSATION, members: [{ user: 'ana', active: false, role: null, version: 2 }] };
const OVERTAKING = {
  'flagged as unread': { t: 'marker', pos: '1:1:6', d: FLAGGED },
  'flagged as unread, from the archive': { t: 'state', d: { kind: 'marker', ...FLAGGED } },
  left: { t: 'members', pos: '1:1:6', d: LEFT },
  'left, from the archive': { t: 'state', d: { kind: 'members', ...LEFT } },
  reset: reset(5),
};

for (const [what, overtaking] of Object.entries(OVERTAKING)) {
  for (const isMissed of [false, true]) {
    const when = isMissed ? 'while there was no connection' : 'since';
    test(`a mark is not repeated once its conversation was ${what}, ${when}`, async () => {
      const stage = new Stage({}, { [HISTORY]: { results: [], next: null, previous: null } }).listen();
      const socket = await stage.start();
      const marked = stage.chat.mark(CONVERSATION, { read: '1:1:5' });
      socket.say({ re: asked(socket, 'mark').at(-1).id, ok: { delivered: null, read: '1:1:5' } });
      assert.equal((await marked).read, '1:1:5');
      if (!isMissed) socket.say(overtaking);
      await settle();
      const next = await stage.reconnect();
      if (isMissed) next.say(overtaking);
      next.say(mark(12));
      await settle();
      assert.deepEqual(asked(next, 'mark'), []);
    });
  }
}

test('changes of others are given once, and count where they are above what the message holds', async () => {
  const { stage, socket, view } = await begin();
  socket.say(edited(5, 'm1', 'newer'), reacted(6, 'm1'));
  await settle();
  const next = await stage.reconnect();
  next.say({ t: 'state', d: { kind: 'message', ...message(1, { content: 'newest', changed: '1:1:8' }) } });
  next.say(edited(5, 'm1', 'newer'), reacted(6, 'm1'), reacted(7, 'm1', 'carol'), mark(9));
  await settle();
  assert.deepEqual(stage.told.slice(2), ['message_edited newer', `reaction ${CONVERSATION}`, 'state newest']);
  assert.equal(view.message('m1').content, 'newest');
});

test('a change that comes while its conversation is loaded anew comes again behind a page that was written before it', async () => {
  let answer;
  const { stage, socket, view } = await begin({}, { [HISTORY]: () => new Promise((resolve) => (answer = resolve)) });
  socket.say(reset(20), mark(20), reacted(21, 'm1'), edited(22, 'm1', 'edited'), mark(23));
  await settle();
  assert.deepEqual(view.messages(CONVERSATION), []);
  answer({ results: [message(2), message(1, { content: 'old', reactions: { '👍': ['bob'] }, reaction_counts: { '👍': 1 }, changed: '1:1:21' })], next: null });
  await settle();
  const told = stage.seen.filter(({ t }) => t !== 'mark').map(({ t, pos }) => `${t} ${pos ?? ''}`);
  assert.deepEqual(told.slice(2), [
    'reset ', 'reaction 1:1:21', 'message_edited 1:1:22', 'state ', 'state ', 'message_edited 1:1:22', 'loaded ',
  ]);
  assert.deepEqual([view.message('m1').content, view.message('m1').reaction_counts], ['edited', { '👍': 1 }]);
  assert.deepEqual(stage.chat.save().late, {});
});

test('what one shows is said again on the next connection, who is there is forgotten with it, and typing is never said later', async () => {
  const view = new View();
  const stage = new Stage({ view }).listen();
  stage.chat.typing(CONVERSATION); // there is no connection yet
  stage.chat.open([CONVERSATION]);
  stage.chat.presence(['bob', 'carol']);
  const socket = await stage.start();
  assert.deepEqual(asked(socket, 'open', 'presence', 'typing'), [
    { id: 'open', op: 'open', d: { conversations: [CONVERSATION] } },
    { id: 'presence', op: 'presence', d: { users: ['bob', 'carol'] } },
  ]);
  for (const time of [0, 1_000, 2_000, 0]) {
    stage.chat.typing(CONVERSATION);
    await pass(time);
  }
  stage.chat.typing(CONVERSATION, false);
  assert.deepEqual(asked(socket, 'typing').map(({ d }) => d.on), [true, true, false]);
  socket.say({ re: 'open', ok: {} }, { re: 'presence', ok: { online: ['bob'], offline: ['carol'] } });
  socket.say({ t: 'typing', d: { conversation: CONVERSATION, user: 'bob', on: true } });
  await settle();
  assert.deepEqual(stage.told.length, 2);
  assert.deepEqual([view.typing(CONVERSATION), view.isOnline('bob'), view.isOnline('carol'), view.isOnline('dan')], [['bob'], true, false, undefined]);
  await pass(8_000);
  assert.deepEqual(view.typing(CONVERSATION), []);
  socket.say({ t: 'typing', d: { conversation: CONVERSATION, user: 'bob', on: true } }, push(7));
  await settle();
  assert.deepEqual(view.typing(CONVERSATION), [], 'what was typed has come');
  socket.say({ t: 'presence', d: { online: [], offline: ['bob'] } });
  await settle();
  assert.equal(view.isOnline('bob'), false);
  socket.end(1006);
  await settle();
  assert.equal(view.isOnline('bob'), undefined);
  await pass(30_000);
  stage.socket.welcome({ limits: LIMITS });
  assert.deepEqual(asked(stage.socket, 'open', 'presence', 'typing'), asked(socket, 'open', 'presence'));
});

test('a conversation that one has left is open no more: the server would refuse the others with it', async () => {
  const { stage, socket } = await begin();
  stage.chat.open([CONVERSATION, 'two']);
  socket.say({ re: 'open', ok: {} });
  const left = (user) => ({ conversation: CONVERSATION, members: [{ user, active: false, role: null, version: 2 }] });
  socket.say({ t: 'members', pos: '1:1:8', d: left('bob') });
  await settle();
  const opened = (from) => asked(from, 'open').map(({ d }) => d.conversations);
  assert.deepEqual(opened(socket), [[CONVERSATION, 'two']]);
  const next = await stage.reconnect();
  next.say({ re: 'open', err: { code: 'not_found', detail: 'No.', temporary: false } }, { t: 'state', d: { kind: 'members', ...left('ana') } });
  await settle();
  assert.deepEqual(opened(next), [[CONVERSATION, 'two'], ['two']]);
});

test('presence that cannot be had now is asked for again, and what never can be is warned of', async () => {
  const { stage, socket } = await begin();
  stage.chat.presence(['bob']);
  socket.say({ re: 'presence', err: { code: 'rate_limited', detail: 'Later.', temporary: true, retry_after: 2 } });
  await pass(2_000);
  assert.equal(asked(socket, 'presence').length, 2);
  socket.say({ re: 'presence', err: { code: 'bad_request', detail: 'Never.', temporary: false } });
  await pass(60_000);
  assert.equal(asked(socket, 'presence').length, 2);
  assert.match(stage.warnings.at(-1), /presence was refused: bad_request/);
});

test('an answer of the archive that breaks off is for later, and is not an empty thing', async () => {
  const broken = () => new Response('{"id":"m1","conv');
  const stage = new Stage({}, { '/api/v1/messages/m1': broken, [`/api/v1/conversations/${CONVERSATION}`]: broken });
  await assert.rejects(stage.chat.archive.message('m1'), { code: 'unavailable', temporary: true });
  await assert.rejects(stage.chat.archive.conversation(CONVERSATION), { code: 'unavailable', temporary: true });
});

test('the archive is read page by page, and its messages come into the view', async () => {
  const pages = {
    [HISTORY]: { results: [message(9, { changed: '1:1:9' }), 'no message'], next: `https://proxy.test/elsewhere?cursor=x` },
    [`${HISTORY}?cursor=x`]: { results: [message(8)], next: null },
    '/api/v1/messages/m1/versions': { results: [{ content: 'first' }], next: null },
    '/api/v1/mentions': { results: [message(9)], next: null },
    '/api/v1/search?limit=100&q=tea+%26+cake': { results: [], next: 'https://proxy.test/api/v1/search?q=tea&cursor=y' },
    '/api/v1/search?q=tea&cursor=y': { results: [message(9)], next: null },
    '/api/v1/conversations': { results: [{ id: CONVERSATION, unread: 3, mentions: 1 }], next: null },
    [`/api/v1/conversations/${CONVERSATION}/markers`]: { results: [{ user: 'bob', read: '1:1:2' }], next: null },
    [`/api/v1/conversations/${CONVERSATION}/pins`]: { results: [message(7)], next: null },
  };
  const { stage, socket, view } = await begin({ token: 'secret', ticket: async () => null }, pages);
  socket.say(edited(12, 'm8', 'edited while the page was on its way'));
  await settle();
  const { archive } = stage.chat;
  const first = await archive.history(CONVERSATION, { limit: 2, at_least: token(3) });
  const { rows, next } = await archive.history(CONVERSATION, { after: first.next });
  assert.deepEqual([first.rows[0].id, rows[0].id, next], ['m9', 'm8', null]);
  assert.equal(view.message('m8').content, 'edited while the page was on its way');
  assert.deepEqual((await archive.versions('m1')).rows, [{ content: 'first' }]);
  assert.equal((await archive.conversations()).rows[0].unread, 3);
  assert.equal((await archive.markers(CONVERSATION)).rows[0].user, 'bob');
  assert.equal((await archive.mentions()).rows.length, 1);
  const none = await archive.search('tea & cake');
  assert.equal((await archive.search('tea & cake', { after: none.next })).rows[0].id, 'm9');
  await archive.pins(CONVERSATION);
  assert.deepEqual(view.messages(CONVERSATION).map(({ id }) => id), ['m1', 'm2', 'm7', 'm8', 'm9']);
  assert.ok(stage.requests.every(({ path, headers }) => path.startsWith('/api/v1/') && headers.Authorization === 'Bearer secret'));
  assert.ok(stage.requests.some(({ path }) => path === `${HISTORY}?limit=2&at_least=${encodeURIComponent(token(3))}`));
});
