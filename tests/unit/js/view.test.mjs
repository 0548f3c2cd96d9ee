/** What an application shows: the server's state, with one's own pending changes over it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyDelta, View } from '../../../clients/js/src/client.js';
import { CONVERSATION, message } from './fake.mjs';

const NOW = '2026-11-24T12:00:00.000Z';

function shown(options) {
  const drafts = [];
  const view = new View(options);
  view.bind({ user: () => 'ana', now: () => NOW, drafts: () => drafts });
  return { view, drafts };
}

function delta(t, offset, d, id = 'm1') {
  return { t, pos: `1:1:${offset}`, d: { id, conversation: CONVERSATION, ...d } };
}

const edit = (offset, content, id) => delta('message_edited', offset, { content, mentions: [], edited_at: NOW, by: 'bob' }, id);
const react = (offset, user, on = true, id = 'm1') => delta('reaction', offset, { emoji: '👍', on, user }, id);
const remove = (offset) => delta('message_deleted', offset, { by: 'bob', deleted_at: NOW });
const pin = (offset, on) => delta('pinned', offset, { on, by: 'bob', at: NOW });

test('a change counts once and only above what the message holds already; positions compare as numbers', () => {
  const { view } = shown();
  view.add([message(1, { seq: 4 })]);
  for (const event of [edit(10, 'newer'), edit(9, 'older'), react(8, 'bob')]) view.apply(event);
  view.add([message(1, { content: 'from a page', changed: '1:1:2' })]);
  const { content, reactions, changed, seq } = view.message('m1');
  assert.deepEqual({ content, reactions, changed, seq }, { content: 'newer', reactions: undefined, changed: '1:1:10', seq: 4 });
  view.apply({ t: 'message_changed', pos: '1:1:11', d: message(1, { content: 'whole', changed: '1:1:11' }) });
  assert.equal(view.message('m1').content, 'whole');
  assert.equal(view.message('m1').seq, 4);
  view.apply(edit('9007199254740993', 'far'));
  view.apply(edit('9007199254740992', 'not so far'));
  assert.equal(view.message('m1').content, 'far');
});

test('a deleted message is a tombstone for good', () => {
  const full = message(1, { reactions: { '👍': ['bob'] }, reaction_counts: { '👍': 1 }, mentions: ['ana'], pinned_at: NOW });
  const wiped = { ...full, content: '', reactions: {}, reaction_counts: {}, mentions: [], pinned_at: null, deleted: true };
  const { view } = shown();
  view.add([full]);
  for (const event of [remove(4), edit(5, 'back'), react(6, 'bob'), pin(7, true)]) view.apply(event);
  assert.deepEqual(view.message('m1'), { ...wiped, changed: '1:1:7' });
  assert.equal(full.content, 'text 1');
});

test('a message that is pinned already keeps the time of its pin', () => {
  const [first, later] = ['2026-11-24T01:00:00.000Z', '2026-11-24T02:00:00.000Z'];
  const pinned = (offset, on, at) => delta('pinned', offset, { on, by: 'bob', at });
  let now = applyDelta(applyDelta(message(1), pinned(2, true, first)), pinned(3, true, later));
  assert.deepEqual([now.pinned_at, now.changed], [first, '1:1:3']);
  for (const on of [false, true]) now = applyDelta(now, pinned(4, on, later));
  assert.equal(now.pinned_at, later);
});

test('reactions are in the order of time, and counted also beyond those that are listed', () => {
  let now = message(1);
  for (const event of [react(2, 'bob'), react(3, 'ana'), react(4, 'bob', false), react(5, 'bob')]) now = applyDelta(now, event);
  assert.deepEqual([now.reactions, now.reaction_counts], [{ '👍': ['ana', 'bob'] }, { '👍': 2 }]);
  for (const user of ['ana', 'bob']) now = applyDelta(now, react(6, user, false));
  assert.deepEqual([now.reactions, now.reaction_counts], [{}, {}]);
  const many = Array.from({ length: 50 }, (_, number) => `user${number}`);
  now = applyDelta({ ...now, reactions: { '👍': many }, reaction_counts: { '👍': 70 } }, react(7, 'bob'));
  assert.deepEqual([now.reactions['👍'].length, now.reaction_counts['👍']], [50, 71]);
  for (const user of ['carol', 'user0']) now = applyDelta(now, react(8, user, false));
  assert.deepEqual([now.reactions['👍'].length, now.reaction_counts['👍']], [49, 69]);
});

test('what others change shows through what is pending, and a deletion wins', () => {
  const { view, drafts } = shown();
  view.add([message(1)]);
  drafts.push({ op: 'edit', message: 'm1', position: '1:1:1', content: 'mine' });
  for (const event of [react(2, 'bob'), edit(3, 'from another device')]) view.apply(event);
  assert.deepEqual([view.message('m1').content, view.message('m1').reactions], ['mine', { '👍': ['bob'] }]);
  const [draft] = drafts.splice(0);
  assert.equal(view.message('m1').content, 'from another device');
  drafts.push(draft);
  view.apply(remove(4));
  assert.deepEqual([view.message('m1').content, view.message('m1').pending], ['', undefined]);
});

test('a reply shows the beginning of the original as it is now', () => {
  const { view } = shown();
  view.add([message(1), message(2, { reply_to: 'm1' }), message(3, { reply_to: 'elsewhere' })]);
  view.apply(edit(4, '🎉'.repeat(300)));
  assert.equal(view.message('m2').reply_preview.content, '🎉'.repeat(200));
  view.apply(remove(5));
  assert.deepEqual(view.message('m2').reply_preview, { id: 'm1', sender: 'bob', content: '', deleted: true });
  assert.equal(view.message('m3').reply_preview, undefined);
});

test('whom one has mentioned is what the server says, if it does', () => {
  const { view } = shown();
  const sent = { to: 'bob', content: 'hi @bob and @nobody', position: '1:1:1', changed: '1:1:1', duplicate: false };
  view.apply({ t: 'sent', pos: '1:1:1', d: { ...sent, id: 'mine', client_id: 'c', mentions: ['bob'] } });
  view.apply({ t: 'sent', pos: '1:1:2', d: { ...sent, id: 'other', client_id: 'd', position: '1:1:2', content: '@nobody' } });
  assert.deepEqual([view.message('mine').mentions, view.message('other').mentions], [['bob'], []]);
});

test('what one sends is in its conversation as soon as that is known', () => {
  const { view } = shown();
  view.apply({ t: 'sent', pos: '1:1:1', d: { id: 'mine', to: 'bob', content: 'hi @bob.', client_id: 'c', position: '1:1:1', changed: '1:1:1', duplicate: true } });
  assert.deepEqual([view.message('mine').sender, view.message('mine').mentions, view.direct('bob')], ['ana', ['bob'], undefined]);
  view.apply({ t: 'message', pos: '1:1:2', d: message(2, { receiver: 'ana' }) });
  assert.deepEqual(view.messages(CONVERSATION).map(({ id }) => id), ['mine', 'm2']);
  assert.equal(view.direct('bob'), CONVERSATION);
});

test('markers only go up', () => {
  const { view } = shown();
  const marker = (delivered, read) => ({ conversation: CONVERSATION, user: 'bob', delivered, read });
  view.apply({ t: 'marker', pos: '1:1:5', d: marker('1:1:10', '1:1:3') });
  view.apply({ t: 'state', d: { kind: 'marker', ...marker('1:1:9', '1:1:4') } });
  view.apply({ t: 'marker', pos: '1:1:6', d: marker(null, null) });
  assert.deepEqual(view.markers(CONVERSATION), { bob: { delivered: '1:1:10', read: '1:1:4' } });
});

test("one's own flag is shown until it is taken back or a higher read comes, also where a marker is told again", () => {
  const told = (...markers) => {
    const { view, drafts } = shown();
    for (const [at, more] of markers) {
      const d = { conversation: CONVERSATION, user: 'ana', delivered: null, read: null, ...more };
      view.apply(at === null ? { t: 'state', d: { kind: 'marker', changed: '1:1:30', ...d } } : { t: 'marker', pos: at && `1:1:${at}`, d });
    }
    return { flag: () => view.markers(CONVERSATION).ana.unread_from, drafts };
  };
  const flag = (place) => ({ unread_from: place && `1:1:${place}` });
  const read = (place) => ({ read: `1:1:${place}` });
  assert.equal(told([10, flag(2)]).flag(), '1:1:2');
  assert.equal(told([10, flag(2)], [11, flag(null)]).flag(), null);
  assert.equal(told([10, flag(2)], [11, read(9)]).flag(), null);
  assert.equal(told([10, flag(2)], [undefined, read(9)]).flag(), null, 'the answer to a mark has no position');
  assert.equal(told([8, read(9)], [10, flag(2)], [11, read(9)]).flag(), '1:1:2', 'that is no higher read');
  assert.equal(told([10, flag(2)], [11, read(9)], [10, flag(2)]).flag(), null);
  assert.equal(told([10, flag(2)], [12, flag(3)], [10, flag(2)], [11, read(9)]).flag(), '1:1:3');
  assert.equal(told([null, flag(2)], [29, flag(null)]).flag(), '1:1:2');
  const pending = told([10, flag(2)]);
  pending.drafts.push({ op: 'mark', conversation: CONVERSATION, read: '1:1:9' });
  assert.equal(pending.flag(), null);
});

test('the messages that came first are forgotten, and so is a conversation that is loaded anew or that one has left', () => {
  const { view } = shown({ most: 3 });
  const ids = () => view.messages(CONVERSATION).map(({ id }) => id);
  view.add([1, 2, 3, 4].map((offset) => message(offset)));
  assert.deepEqual(ids(), ['m2', 'm3', 'm4']);
  view.apply({ t: 'reset', d: { conversations: [CONVERSATION] } });
  assert.deepEqual(ids(), []);
  view.add([message(5)]);
  const members = (user) => ({ t: 'members', pos: '1:1:6', d: { conversation: CONVERSATION, members: [{ user, active: false }] } });
  view.apply(members('bob'));
  assert.deepEqual(ids(), ['m5']);
  view.apply(members('ana'));
  assert.deepEqual(ids(), []);
});

test('of changes to messages that are not here only a bounded number is kept', () => {
  const { view } = shown();
  for (let number = 10; number < 2_000; number += 1) view.apply(edit(number + 1, 'edited', `m${number}`));
  view.add([message(10), message(1_999)]);
  assert.deepEqual([view.message('m10').content, view.message('m1999').content], ['text 10', 'edited']);
});

test('of many changes to one message that is not here only a bounded number is kept, the last ones', () => {
  const { view } = shown();
  for (let number = 10; number < 2_010; number += 1) view.apply(react(number, `user${number}`, true, 'm9'));
  view.apply(edit(2_010, 'edited', 'm8'));
  view.add([message(8), message(9)]);
  const { reaction_counts } = view.message('m9');
  assert.deepEqual([view.message('m8').content, reaction_counts['👍']], ['edited', 999]);
});

test('messages outside of what is shown are forgotten, and its ends are kept', () => {
  const { view } = shown();
  view.add([1, 2, 3, 4, 5].map((offset) => message(offset)));
  view.keep(CONVERSATION, { from: '1:1:2', to: '1:1:4' });
  assert.deepEqual(view.messages(CONVERSATION).map(({ id }) => id), ['m2', 'm3', 'm4']);
  view.keep(CONVERSATION, { from: '1:1:4' });
  view.add([message(7)]);
  assert.deepEqual(view.messages(CONVERSATION).map(({ id }) => id), ['m4', 'm7']);
});

test('the first push of a direct conversation says with whom it is, and takes what was sent before', () => {
  const { view } = shown();
  view.apply({ t: 'sent', d: { id: 'm1', client_id: 'a', to: 'bob', content: 'hi', position: '1:1:1' } });
  assert.equal(view.direct('bob'), undefined);
  const members = ['ana', 'bob'].map((user) => ({ user, active: true }));
  view.apply({ t: 'members', d: { conversation: CONVERSATION, kind: 'direct', members } });
  assert.equal(view.direct('bob'), CONVERSATION);
  assert.deepEqual(view.messages(CONVERSATION).map(({ content }) => content), ['hi']);
});

test('a quote follows the edits and the deletion of its original, also of one that is not here', () => {
  const { view } = shown();
  const preview = { id: 'old', sender: 'bob', content: 'first', deleted: false };
  view.add([message(5, { reply_to: 'old', reply_preview: preview }), message(6)]);
  view.apply(delta('message_edited', 7, { content: 'x'.repeat(300), mentions: [], edited_at: NOW, by: 'bob' }, 'old'));
  assert.equal(view.message('m5').reply_preview.content, 'x'.repeat(200));
  view.apply(delta('message_deleted', 8, { by: 'bob', deleted_at: NOW }, 'old'));
  assert.deepEqual(view.message('m5').reply_preview, { ...preview, content: '', deleted: true });
  assert.equal(view.message('m6').reply_preview, undefined);
});

test('a quote follows an original that came whole, also once that is not here any more', () => {
  const { view } = shown();
  const preview = { id: 'm1', sender: 'bob', content: 'first', deleted: false };
  view.add([message(5, { reply_to: 'm1', reply_preview: preview })]);
  const state = (more) => view.apply({ t: 'state', d: { kind: 'message', ...message(1, more) } });
  const quoted = () => {
    view.keep(CONVERSATION, { from: '1:1:5' });
    return view.message('m5').reply_preview;
  };
  state({ changed: '1:1:7', edited_at: NOW, content: 'second' });
  assert.deepEqual(quoted(), { ...preview, content: 'second' });
  state({ changed: '1:1:8', edited_at: NOW, content: '', deleted: true });
  assert.deepEqual(quoted(), { ...preview, content: '', deleted: true });
});
