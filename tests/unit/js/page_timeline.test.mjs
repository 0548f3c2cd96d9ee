import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './page.mjs';

const { itemsOf } = await load('logic/timeline.js');
const { dayName, dayKey, shortly, untilMidnight } = await load('logic/times.js');
const { receiptOf } = await load('logic/receipts.js');
const { Conversations, nameOf } = await load('logic/conversations.js');
const { matchRoute, hrefOf } = await load('logic/routes.js');

const where = { language: 'en-GB', zone: 'UTC' };
const message = (id, sender, sent_at, more = {}) => ({ id, client_id: id, sender, sent_at, position: `1:0:${id}`, ...more });
const shape = (items) => items.map((item) => (item.kind === 'message' ? `${item.message.id}${item.isFirst ? '<' : ''}${item.isLast ? '>' : ''}` : item.kind));

test('messages of one person within minutes stand in one group', () => {
  const items = itemsOf([
    message('1', 'ana', '2026-11-29T10:00:00Z'), message('2', 'ana', '2026-11-29T10:01:00Z'), message('3', 'bob', '2026-11-29T10:01:10Z'),
    message('4', 'bob', '2026-11-29T10:09:00Z'), message('5', 'bob', '2026-11-29T10:09:30Z', { reply_to: '1' }),
  ], { newFrom: null, where });
  assert.deepEqual(shape(items), ['day', '1<', '2>', '3<>', '4<>', '5<>']);
});

test('a new day and the line "new" end a group', () => {
  const messages = [message('1', 'ana', '2026-11-29T23:59:00Z'), message('2', 'ana', '2026-11-30T00:00:30Z'), message('3', 'ana', '2026-11-30T00:01:00Z')];
  assert.deepEqual(shape(itemsOf(messages, { newFrom: 'ana/3', where })), ['day', '1<>', 'day', '2<>', 'new', '3<>']);
});

test('a day is that of the zone in which it is read', () => {
  const date = new Date('2026-11-29T23:30:00Z');
  assert.equal(dayKey(date, where), '2026-11-29');
  assert.equal(dayKey(date, { zone: 'Europe/Berlin' }), '2026-11-30');
});

test('days are named as people name them', () => {
  const now = new Date('2026-11-29T12:00:00Z');
  const name = (text, language = 'en-GB') => dayName(new Date(text), now, { language, zone: 'UTC' });
  assert.deepEqual([name('2026-11-29T00:00:00Z'), name('2026-11-28T23:59:00Z'), name('2026-11-25T10:00:00Z')], ['Today', 'Yesterday', 'Wednesday']);
  assert.equal(name('2026-03-03T10:00:00Z'), 'Tuesday 3 March');
  assert.match(name('2024-03-03T10:00:00Z'), /2024/);
  assert.equal(name('2026-11-28T10:00:00Z', 'de'), 'Gestern');
  assert.equal(shortly(new Date('2026-11-29T09:05:00Z'), now, where), '9:05');
  assert.equal(shortly(new Date('2026-11-27T09:05:00Z'), now, where), 'Fri');
});

test('midnight comes when the day ends, also where clocks change', () => {
  const hours = (text, zone) => Math.round(untilMidnight(new Date(text), { zone }) / 3_600_000);
  assert.equal(hours('2026-11-29T12:00:00Z', 'UTC'), 12);
  assert.equal(hours('2026-10-25T00:00:00Z', 'Europe/Berlin'), 23); // 2:00 comes twice in that night
});

test('a receipt says no more than others have said', () => {
  const own = message('5', 'ana', '2026-11-29T10:00:00Z');
  const of = (markers, others = 1, one = own) => receiptOf(one, markers, { me: 'ana', others }).state;
  assert.equal(of({}, 1, { ...own, position: undefined }), 'sending');
  assert.equal(of({}, 1, { ...own, position: undefined, failed: true }), 'failed');
  assert.equal(of({}), 'sent');
  assert.equal(of({ ana: { read: '1:0:9', delivered: '1:0:9' } }), 'sent');
  assert.equal(of({ bob: { read: '1:0:4', delivered: '1:0:5' } }), 'delivered');
  assert.equal(of({ bob: { read: '1:0:5', delivered: null } }), 'read');
  assert.equal(of({ bob: { read: '1:0:5', delivered: null } }, 2), 'sent');
  assert.deepEqual(receiptOf(own, { bob: { read: '1:0:10', delivered: null } }, { me: 'ana', others: 2 }).read, ['bob']);
});

test('conversations stand in the order of their last activity, and move when it changes', () => {
  const list = new Conversations();
  const one = (id, updated_at, more = {}) => list.put({ id, updated_at, kind: 'group', title: id, members: [], unread: 1, mentions: 0, muted_until: null, ...more });
  one('a', '2026-01-01');
  one('b', '2026-01-03');
  one('c', '2026-01-02', { unread: '1000+' });
  assert.deepEqual(list.all.map(({ id }) => id), ['b', 'c', 'a']);
  list.change('a', { updated_at: '2026-01-04' });
  list.remove('c');
  assert.deepEqual(list.all.map(({ id }) => id), ['a', 'b']);
  one('c', '2026-01-02', { unread: '1000+', muted_until: '9999-12-31T23:59:59.000Z', mentions: 3 });
  assert.equal(list.unread(new Date()), 5);
  assert.equal(nameOf({ kind: 'direct', title: '', members: [{ user: 'ana' }, { user: 'bob' }] }, 'ana'), 'bob');
});

test('an address leads to its view with its parts', () => {
  const routes = [{ path: '/' }, { path: '/c/:conversation' }, { path: '/settings/:section?' }];
  const found = (hash) => {
    const match = matchRoute(routes, hash);
    return match && [match.route.path, match.params];
  };
  assert.deepEqual(found(''), ['/', {}]);
  assert.deepEqual(found(hrefOf('c', 'a/ä')), ['/c/:conversation', { conversation: 'a/ä' }]);
  assert.deepEqual(found('#/settings'), ['/settings/:section?', {}]);
  assert.deepEqual(found('#/settings/profile'), ['/settings/:section?', { section: 'profile' }]);
  assert.equal(found('#/c'), null);
  assert.equal(found('#/c/%E0%A4%A'), null);
});
