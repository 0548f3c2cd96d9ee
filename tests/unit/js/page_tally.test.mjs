/** What the list says of a conversation, as pushes change it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './page.mjs';

const { Tally } = await load('tally.js');

/** A tally of one conversation. */
function tallied(conversation) {
  const conversations = {
    get: () => conversation,
    change: (_, fields) => Object.assign(conversation, fields),
  };
  return new Tally({ conversations });
}

test('the newest pin comes first, and one that is there already keeps its place', () => {
  const conversation = { id: 'one', pinned: [] };
  const tally = tallied(conversation);
  const pin = (id, on) => tally.change({ t: 'pinned', pos: '1:1:9', d: { id, conversation: 'one', on } });
  for (const id of ['m1', 'm2', 'm1']) pin(id, true);
  assert.deepEqual(conversation.pinned, ['m2', 'm1']);
  pin('m1', false);
  pin('m1', true);
  assert.deepEqual(conversation.pinned, ['m1', 'm2']);
});

test('members keep their places while their roles or the title change, and new ones come last', () => {
  const [ana, bob, carol] = ['ana', 'bob', 'carol'].map((user) => ({ user, user_id: `u-${user}`, role: 'member' }));
  const conversation = { id: 'one', title: 'Tea', version: 1, member_count: 2, members: [ana, bob] };
  const tally = tallied(conversation);
  const meet = (version, ...members) => tally.meet({ conversation: 'one', title: 'Coffee', version, members });
  meet(2, { ...carol, active: true }, { ...ana, role: 'owner', active: true });
  assert.deepEqual([conversation.title, conversation.members], ['Coffee', [{ ...ana, role: 'owner' }, bob, carol]]);
  meet(3, { ...bob, active: false });
  assert.deepEqual(conversation.members, [{ ...ana, role: 'owner' }, carol]);
});
