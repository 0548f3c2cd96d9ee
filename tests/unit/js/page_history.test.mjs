import assert from 'node:assert/strict';
import { test } from 'node:test';
import { View } from '../../../clients/js/src/client.js';
import { CONVERSATION, message, reset } from './fake.mjs';
import { load } from './page.mjs';

const { History } = await load('history.js');
const { Reading } = await load('reading.js');
const { Presence } = await load('presence.js');

/** An archive of so many messages, and a history over it; `asked` are the requests. */
function shelf(count) {
  const view = new View();
  view.bind({ user: () => 'ana', now: () => '', drafts: () => [] });
  const all = Array.from({ length: count }, (_, i) => message(i + 1)).reverse();
  const asked = [];
  const offset = (place) => Number(place.split(':')[2]);
  const history = async (_id, { limit, older_than, newer_than, ...rest }) => {
    asked.push({ older_than, newer_than, ...rest });
    const fits = all.filter(({ position }) => (older_than ? offset(position) < offset(older_than) : newer_than ? offset(position) > offset(newer_than) : true));
    const rows = newer_than ? fits.slice(-limit) : fits.slice(0, limit);
    view.add(rows);
    const [first, last] = [rows[0], rows.at(-1)];
    return { rows, next: last && last !== all.at(-1) ? 'n' : null, previous: first && first !== all[0] ? 'p' : null };
  };
  const source = { chat: { archive: { history } }, view, lastPosition: () => all[0]?.position ?? null, token: () => null };
  return { view, all, asked, source, history: new History(CONVERSATION, source) };
}

const offsets = (history) => history.messages.map(({ position }) => Number(position.split(':')[2]));
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test('the end is loaded first, and older pages until the beginning', async () => {
  const { history } = shelf(120);
  assert.deepEqual(history.messages, []);
  await history.loadNewest();
  assert.deepEqual(offsets(history), range(71, 120));
  await history.loadOlder();
  await history.loadOlder();
  assert.deepEqual([offsets(history), history.atStart, history.atEnd], [range(1, 120), true, true]);
  await history.loadOlder();
});

test('a place is loaded with what is around it, without a gap, also at both ends', async () => {
  const { history } = shelf(120);
  await history.loadAround('1:1:60');
  assert.deepEqual(offsets(history), range(61 - 25, 85));
  assert.deepEqual([history.atStart, history.atEnd], [false, false]);
  await history.loadAround('1:1:120');
  assert.deepEqual([offsets(history), history.atEnd], [range(96, 120), true]);
  await history.loadAround('0:0:0');
  assert.deepEqual([offsets(history), history.atStart], [range(1, 25), true]);
});

test('what is loaded is bounded: what grows at one end is let go at the other, and comes again', async () => {
  const { history, view } = shelf(600);
  await history.loadNewest();
  for (let page = 0; page < 8; page += 1) await history.loadOlder();
  assert.deepEqual([offsets(history), history.atEnd], [range(151, 450), false]);
  assert.equal(view.messages(CONVERSATION).length, 300);
  for (let page = 0; page < 3; page += 1) await history.loadNewer();
  assert.deepEqual([offsets(history), history.atStart, history.atEnd], [range(301, 600), false, true]);
});

test('what is pushed shows at the end, and not while the end is not loaded', async () => {
  const { history, view } = shelf(120);
  await history.loadNewest();
  view.add([message(121)]);
  assert.equal(offsets(history).at(-1), 121);
  await history.loadAround('1:1:20');
  view.add([message(122)]);
  assert.equal(offsets(history).at(-1), 45);
});

test('a conversation that was left keeps its end, and is loaded anew where one was elsewhere', async () => {
  const { history } = shelf(300);
  await history.loadNewest();
  for (let page = 0; page < 3; page += 1) await history.loadOlder();
  history.rest();
  assert.deepEqual([offsets(history), history.isLoaded], [range(276, 300), true]);
  await history.loadAround('1:1:20');
  history.rest();
  assert.equal(history.isLoaded, false);
});

test('after a gap before the first mark the end is loaded in the place of what was there', async () => {
  const { history, all } = shelf(120);
  await history.loadNewest();
  all.unshift(...Array.from({ length: 80 }, (_, i) => message(121 + i)).reverse());
  await history.resync();
  assert.deepEqual(offsets(history), range(151, 200));
});

const conversation = (more) => ({ id: CONVERSATION, unread: 2, unread_from: null, markers: { read: '1:1:3' }, ...more });
const five = [1, 2, 3, 4, 5].map((offset) => message(offset, { sender: offset === 4 ? 'ana' : 'bob' }));

test('new is what follows the mark and is not ones own, as long as one stays', () => {
  const reading = new Reading(conversation(), 'ana');
  assert.equal(reading.lineBefore(five, true).id, 'm5');
  assert.equal(reading.lineBefore(five.slice(2), false).id, 'm5');
  assert.equal(reading.lineBefore(five.slice(4), false), null); // it may begin before what is loaded
  assert.equal(new Reading(conversation({ unread: 0 }), 'ana').lineBefore(five, true), null);
  assert.equal(new Reading(conversation({ unread_from: '1:1:2' }), 'ana').lineBefore(five, true).id, 'm2');
  assert.equal(new Reading(conversation({ markers: {} }), 'ana').lineBefore(five, true).id, 'm1');
});

test('the line stays where it was when more comes, and begins where one did not look', () => {
  const reading = new Reading(conversation({ unread: 0 }), 'ana');
  reading.miss(five[1]);
  reading.miss(five[4]);
  assert.equal(reading.lineBefore(five, true).id, 'm2');
  reading.clear();
  assert.equal(reading.lineBefore(five, true), null);
});

test('the presence of all who are shown is asked for once they stand', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const asked = [];
  const presence = new Presence(() => ({ presence: (users) => asked.push(users) }));
  presence.want('list', ['bob', 'zoe']);
  presence.want('conversation', ['bob']);
  context.mock.timers.tick(400);
  presence.want('conversation', []);
  context.mock.timers.tick(400);
  presence.want('list', []);
  context.mock.timers.tick(400);
  assert.deepEqual(asked, [['bob', 'zoe'], []]);
});

test('where the archive is behind, what it has is shown, and the rest is loaded when it has come', async () => {
  const { history, all, source } = shelf(60);
  const { history: answer } = source.chat.archive;
  let isLate = true;
  source.token = () => 'a token';
  source.chat.archive.history = async (id, paging) => {
    if (paging.at_least && isLate) throw Object.assign(new Error('late'), { code: 'not_archived_yet' });
    return answer(id, paging);
  };
  await history.loadNewest();
  assert.deepEqual([offsets(history).at(-1), history.isBehind], [60, true]);
  await assert.rejects(history.resync());
  all.unshift(message(61));
  isLate = false;
  await history.resync();
  assert.deepEqual([offsets(history).at(-1), history.isBehind], [61, false]);
});

/** A conversation that one looks at, of whose messages 951 to 1000 are loaded. 2,000 more are missed, and a `reset` says so. */
async function missed() {
  const given = shelf(1_000);
  const { all, history } = given;
  await history.loadNewest();
  all.unshift(...Array.from({ length: 2_000 }, (_, i) => message(1_001 + i)).reverse());
  return { ...given, forget: () => forget(given, 3_000), bring: (isWhole) => bring(given, isWhole) };
}

/** A `reset`, as the client library gives it and the store tells it. */
function forget({ view, history }, offset) {
  view.apply(reset(offset));
  history.reset();
}

/** The page that follows a `reset`, as the client library gives it. */
function bring({ view, all, history }, isWhole = false) {
  for (const row of all.slice(0, 100)) view.apply({ t: 'state', d: { kind: 'message', ...row } });
  history.restart(isWhole);
}

/** What the page does when one scrolls up: nothing where there is nothing to load. */
const scrollUp = async (history) => history.isLoaded && !history.atStart && history.loadOlder();

/** All that one passes on the way to the beginning. */
async function passed(history) {
  const seen = new Set(offsets(history));
  while (!history.atStart) {
    await scrollUp(history);
    const shown = offsets(history);
    assert.deepEqual(shown, range(shown[0], shown.at(-1)));
    for (const offset of shown) seen.add(offset);
  }
  return [...seen].sort((one, other) => one - other);
}

test('after a reset of the conversation one looks at, scrolling up passes every missed message', async () => {
  const { history, forget, bring } = await missed();
  forget();
  await scrollUp(history); // the log is empty, and asks for more
  bring();
  assert.equal(offsets(history).at(-1), 3_000);
  assert.deepEqual(await passed(history), range(1, 3_000));
});

test('an older page that a reset has overtaken counts for nothing, whenever it comes', async () => {
  for (const isLate of [false, true]) {
    const { history, source, forget, bring } = await missed();
    const { history: answer } = source.chat.archive;
    let come = () => {};
    const coming = new Promise((resolve) => (come = resolve));
    source.chat.archive.history = async (id, paging) => coming.then(() => answer(id, paging));
    const loading = scrollUp(history);
    forget();
    if (isLate) bring();
    come();
    await loading;
    if (!isLate) bring();
    assert.deepEqual(await passed(history), range(1, 3_000));
  }
});

test('while a reset is on its way nothing is shown, and what was said of both ends counts no more', async () => {
  const { history, view, forget, bring } = await missed();
  await history.loadAround('1:1:500');
  assert.equal(history.atEnd, false);
  forget();
  view.apply({ t: 'message', d: message(3_001) });
  assert.deepEqual([history.isLoaded, history.messages, history.atEnd], [false, [], true]);
  bring();
  assert.deepEqual([offsets(history).at(-1), history.isLoaded], [3_001, true]);
});

test('a reset whose page has the beginning leaves nothing to be loaded', async () => {
  const { view, all, history } = shelf(30);
  await history.loadNewest();
  forget({ view, history }, 30);
  bring({ view, all, history }, true);
  assert.deepEqual([offsets(history), history.atStart], [range(1, 30), true]);
});

/** Holds back the pages that are asked for from now on, until `come`. */
function late(source) {
  const { history: answer } = source.chat.archive;
  let come = () => {};
  const coming = new Promise((resolve) => (come = resolve));
  source.chat.archive.history = async (id, paging) => coming.then(() => answer(id, paging));
  return () => {
    source.chat.archive.history = answer;
    come();
  };
}

test('a page that is on its way when one leaves the conversation counts for nothing', async () => {
  const { history, source } = shelf(400);
  await history.loadNewest();
  for (let page = 0; page < 2; page += 1) await history.loadOlder();
  assert.deepEqual(offsets(history), range(251, 400));
  const come = late(source);
  const loading = history.loadOlder();
  history.rest();
  come();
  await loading;
  assert.deepEqual(offsets(history), range(376, 400));
  assert.deepEqual(await passed(history), range(1, 400));
});

test('nothing is loaded of a conversation that was left elsewhere while a page was on its way', async () => {
  for (const load of ['loadOlder', 'loadNewer']) {
    const { history, source } = shelf(400);
    await history.loadAround('1:1:200');
    const come = late(source);
    const loading = history[load]();
    history.rest();
    come();
    await loading;
    assert.deepEqual([history.isLoaded, history.oldest, history.newest, history.atStart], [false, null, null, false]);
  }
});

test('what was missed before the first mark is loaded, also where one leaves meanwhile', async () => {
  const { history, all, source } = shelf(120);
  await history.loadNewest();
  all.unshift(...Array.from({ length: 80 }, (_, i) => message(121 + i)).reverse());
  const come = late(source);
  const loading = history.resync();
  history.rest();
  come();
  await loading;
  assert.deepEqual([offsets(history), history.isBehind], [range(151, 200), false]);
  assert.deepEqual(await passed(history), range(1, 200));
});

test('what was missed before the first mark is known to be missing after a failure', async () => {
  const { history, source } = shelf(120);
  await history.loadNewest();
  const { history: answer } = source.chat.archive;
  source.chat.archive.history = () => Promise.reject(new Error('away'));
  await assert.rejects(history.resync());
  assert.equal(history.isBehind, true);
  source.chat.archive.history = answer;
  await history.resync();
  assert.equal(history.isBehind, false);
});

/** Messages up to this one are stored; `isPushed` says whether they are pushed too. */
function store({ view, all }, from, to, { isPushed = false } = {}) {
  const rows = range(from, to).map((offset) => message(offset)).reverse();
  all.unshift(...rows);
  if (isPushed) view.add(rows);
}

/** Has the next page read at once, and its answer held back until `come`. */
function underWay({ chat: { archive } }) {
  const { history: answer } = archive;
  let come = () => {};
  const coming = new Promise((resolve) => (come = resolve));
  archive.history = async (id, paging) => {
    archive.history = answer;
    const page = await answer(id, paging);
    return coming.then(() => page);
  };
  return come;
}

test('what was stored between the first page and the first mark is loaded, though that page comes after the mark', async () => {
  for (const load of [(history) => history.loadNewest(), (history) => history.loadAround('1:1:50')]) {
    const { history, source, asked, ...given } = shelf(60);
    const come = underWay(source);
    const loading = load(history);
    await Promise.resolve();
    store(given, 61, 140);
    source.token = () => 'the first mark';
    const again = history.resync();
    store(given, 141, 141, { isPushed: true });
    come();
    await Promise.all([loading, again]);
    assert.deepEqual([offsets(history), history.isBehind, asked.at(-1).at_least], [range(92, 141), false, 'the first mark']);
    assert.deepEqual(await passed(history), range(1, 141));
  }
});

test('a gap before the first mark is found where messages have been pushed after it', async () => {
  const { history, source, ...given } = shelf(60);
  await history.loadNewest();
  store(given, 61, 140);
  const { history: answer } = source.chat.archive;
  source.chat.archive.history = () => Promise.reject(new Error('away'));
  await assert.rejects(history.resync());
  store(given, 141, 145, { isPushed: true });
  source.chat.archive.history = answer;
  await history.resync();
  assert.deepEqual(offsets(history), range(96, 145));
});

test('what was missed before the first mark is loaded once, whoever asks for it meanwhile', async () => {
  const { history, asked, ...given } = shelf(60);
  await history.loadNewest();
  store(given, 61, 70);
  await Promise.all([history.resync(), history.resync()]);
  assert.deepEqual([history.isBehind, asked.length, offsets(history)], [false, 2, range(11, 70)]);
});

test('a first page that a reset has overtaken counts for nothing', async () => {
  const { history, source, ...given } = shelf(60);
  const come = underWay(source);
  const loading = history.loadNewest();
  await Promise.resolve();
  store(given, 61, 300);
  forget({ ...given, history }, 300);
  store(given, 301, 301, { isPushed: true });
  come();
  await loading;
  assert.deepEqual([history.isLoaded, history.messages], [false, []]);
  bring({ ...given, history });
  assert.deepEqual(await passed(history), range(1, 301));
});

test('nothing is let go while a page is on its way that has to adjoin it', async () => {
  const { history, view, source } = shelf(600);
  await history.loadNewest();
  for (let page = 0; page < 5; page += 1) await history.loadOlder();
  view.add(Array.from({ length: 50 }, (_, i) => message(601 + i)));
  const come = late(source);
  const loading = history.loadOlder();
  history.bound(true);
  come();
  await loading;
  assert.deepEqual(offsets(history), range(251, 550));
});
