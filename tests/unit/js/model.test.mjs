/**
 * Chance against the whole client: a server with a log, which loses connections, answers `unknown`, replays from the token or
 * resets, and an application that is slow, and is saved and restored. Each seed is one run.
 */

import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { applyDelta, comparePositions, View } from '../../../clients/js/src/client.js';
import { CONVERSATION, message, pass, reset, settle, Stage, token } from './fake.mjs';

afterEach(() => mock.restoreAll());

const SEEDS = 25;
const STEPS = 120;

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const UNCHANGED = { edited_at: null, deleted: false, reactions: {}, reaction_counts: {}, mentions: [], pinned_at: null };
const WIPED = { content: '', deleted: true, reactions: {}, reaction_counts: {}, mentions: [], pinned_at: null };
const KINDS = { edit: 'message_edited', delete: 'message_deleted', react: 'reaction', pin: 'pinned' };
const AT = '2026-11-24T12:00:00.000Z';

/** A message with a change, as the archive has it; the same where the change has no effect. */
function changed(message, { op, content, emoji, on }, by) {
  if (op === 'edit') return { ...message, content, edited_at: AT };
  if (op === 'delete') return { ...message, ...WIPED };
  if (op === 'pin') return (message.pinned_at !== null) === on ? message : { ...message, pinned_at: on ? AT : null };
  const before = message.reactions[emoji] ?? [];
  if (before.includes(by) === on) return message;
  const names = on ? [...before, by] : before.filter((name) => name !== by);
  const { [emoji]: _, ...others } = message.reactions;
  const reactions = names.length === 0 ? others : { ...others, [emoji]: names };
  const counts = Object.fromEntries(Object.entries(reactions).map(([kind, users]) => [kind, users.length]));
  return { ...message, reactions, reaction_counts: counts };
}

/** One conversation's log; the archive is as far as the log, or somewhat behind. A record that nobody is pushed has no `t`. */
class Server {
  constructor(random) {
    this.random = random;
    this.log = []; // pushes, and `after`: the message as the record leaves it
    this.byName = new Map();
    this.byChange = new Map();
    this.byId = new Map();
    this.handled = 0;
    this.socket = null;
    this.resets = 0;
  }

  append(more) {
    const made = message(this.log.length, more);
    this.#note({ t: 'message', pos: made.position, d: made }, { ...made, ...UNCHANGED });
    if (made.client_id) this.byName.set(made.client_id, made);
    return made;
  }

  #note(frame, after) {
    this.log.push({ frame, after });
    if (after) this.byId.set(after.id, after);
  }

  /** Tells the last record on the socket, if there is something to tell. */
  tell() {
    const { frame } = this.log.at(-1);
    if (frame) this.socket?.say(frame);
  }

  pushes(from) {
    return this.log.slice(from).flatMap(({ frame }) => (frame ? [frame] : []));
  }

  /** The messages as they were when the log was so long. */
  asOf(length) {
    return new Map(this.log.slice(0, length).flatMap(({ after }) => (after ? [[after.id, after]] : [])));
  }

  pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  change() {
    const message = this.pick([...this.byId.values()]);
    if (!message) return;
    const at = `1:1:${this.log.length}`;
    if (this.random() < 0.15) {
      const whole = { ...message, changed: at, content: `changed at ${at}` };
      this.#note({ t: 'message_changed', pos: at, d: whole }, whole);
    } else this.fold(message.id, this.wish(`changed at ${at}`), this.pick(['bob', 'carol']));
    this.tell();
  }

  wish(content) {
    const on = this.random() < 0.6;
    return this.pick([{ op: 'edit', content }, { op: 'edit', content }, { op: 'delete' }, { op: 'react', emoji: '👍', on }, { op: 'pin', on }]);
  }

  /** Appends a change; returns its position, or null where the message is gone. */
  fold(id, wish, by) {
    const pos = `1:1:${this.log.length}`;
    const before = this.byId.get(id);
    const after = before.deleted ? before : changed(before, wish, by);
    if (after === before) this.#note(null, null);
    else {
      const place = { id, conversation: CONVERSATION, [wish.op === 'react' ? 'user' : 'by']: by };
      const { op, ...body } = wish;
      const d = { ...place, ...body, mentions: [], edited_at: AT, deleted_at: AT, at: AT };
      this.#note({ t: KINDS[op], pos, d }, { ...after, changed: pos });
    }
    return before.deleted ? null : pos;
  }

  write() {
    this.append({ sender: 'bob' });
    this.tell();
  }

  mark() {
    this.socket?.say({ t: 'mark', resume: token(this.log.length) });
  }

  /** Takes a new socket up: from the token, by replay of pushes, of states, or with a reset. */
  greet(socket) {
    this.socket = socket;
    this.handled = 1;
    socket.welcome();
    const { resume } = socket;
    if (resume !== null) {
      const from = Number(resume.split(':').at(-1));
      const way = this.random();
      if (way < 0.4) socket.say(...this.pushes(from));
      else if (way < 0.7) {
        const split = from + Math.floor(this.random() * (this.log.length - from + 1)); // older from the archive, newer from memory
        const ids = new Set(this.pushes(from).slice(0, split - from).map(({ d }) => d.id));
        for (const id of ids) socket.say({ t: 'state', d: { kind: 'message', ...this.byId.get(id) } });
        socket.say(...this.pushes(from).slice(split - from));
      } else {
        this.resets += 1;
        socket.say(reset(this.log.length));
      }
      if (this.random() < 0.2) return this.lose(); // before the mark
    }
    this.mark();
  }

  lose() {
    const { socket } = this;
    this.socket = null;
    socket?.end(1006);
  }

  /** Appends what was sent, and answers, or forgets one of both. */
  handle() {
    while (this.socket && this.handled < this.socket.written.length) {
      const { id, op, d } = this.socket.written[this.handled];
      this.handled += 1;
      const fate = this.random();
      if (fate < 0.1) return this.lose();
      if (fate < 0.2) this.socket.say({ re: id, err: { code: 'rate_limited', temporary: true, retry_after: 0.5 } });
      else if (op !== 'send') {
        const known = this.byChange.get(d.client_id);
        const position = known ?? this.fold(d.message, { op, ...d }, 'ana');
        if (position !== null) this.byChange.set(d.client_id, position);
        if (fate < 0.3) return this.lose();
        if (fate < 0.4) {
          this.socket.say({ re: id, err: { code: 'unknown', temporary: true } });
          if (!known) this.tell();
        } else if (position === null) this.socket.say({ re: id, err: { code: 'gone', detail: 'Gone.', temporary: false } });
        else this.socket.say({ re: id, ok: { id: 'change', position, duplicate: known !== undefined } });
      } else {
        const known = this.byName.get(d.client_id);
        const { id: name, position } = known ?? this.append({ ...d, sender: 'ana' });
        if (fate < 0.3) return this.lose();
        if (fate < 0.4) {
          this.socket.say({ re: id, err: { code: 'unknown', temporary: true } });
          if (!known) this.tell();
        } else this.socket.say({ re: id, ok: { id: name, position, duplicate: known !== undefined } });
      }
    }
  }
}

/** What the application has, made of events alone, and whether it was given something twice; `shown` is the library's view. */
class Application {
  constructor(stage, random, shown) {
    this.stage = stage;
    this.random = random;
    this.view = new Map();
    this.shown = shown;
    this.isSlow = false;
    this.twice = [];
  }

  listen() {
    const taking = async () => {
      for await (const { t, pos, d } of this.stage.chat.events()) {
        if (t === 'reset') this.view.clear();
        if ((t === 'message' || t === 'sent') && this.view.has(d.id)) this.twice.push(d.id);
        if (t in DELTA) {
          const before = this.view.get(d.id);
          if (before && comparePositions(pos, before.changed) > 0) this.view.set(d.id, applyDelta(before, { t, pos, d }));
        } else if (d && d.id) this.view.set(d.id, d);
        while (this.isSlow) await new Promise((resolve) => (this.goOn = resolve));
      }
    };
    this.taking = taking();
  }
}

const DELTA = Object.fromEntries(Object.values(KINDS).map((kind) => [kind, true]));

async function run(seed) {
  const random = chance(seed);
  mock.method(Math, 'random', random); // the client's jitter, too
  const server = new Server(random);
  const path = `/api/v1/conversations/${CONVERSATION}/messages`;
  const history = (url) => {
    const { at_least } = Object.fromEntries(url.searchParams);
    const least = at_least ? Number(at_least.split(':').at(-1)) : server.log.length;
    const archived = server.asOf(least + Math.floor(random() * (server.log.length - least + 1)));
    const all = [...archived.values()].sort((one, two) => comparePositions(two.position, one.position));
    const { cursor } = Object.fromEntries(url.searchParams);
    if (random() < 0.2) return 503;
    const older = all.filter(({ position }) => cursor === undefined || comparePositions(position, cursor) < 0);
    const results = older.slice(0, 5);
    const next = older.length > 5 ? `https://chat.test${path}?cursor=${results.at(-1).position}&at_least=${at_least}` : null;
    return { results, next };
  };
  const window = random() < 0.5 ? 1 : 8;
  const shown = new View();
  const options = { window, queue: 12, view: shown };
  const stage = new Stage(options, { [path]: history });
  const application = new Application(stage, random, shown);
  application.listen();
  const wanted = [];
  let restores = 0;

  const connect = async () => {
    await settle();
    if (!server.socket && stage.socket && !stage.socket.isClosed) server.greet(stage.socket);
    if (server.socket?.isClosed) server.socket = null;
    await settle();
  };
  const steps = [
    () => server.write(),
    () => server.write(),
    () => server.change(),
    () => server.change(),
    () => {
      const target = server.pick([...application.view.values()]);
      if (!target || target.deleted) return;
      const { id, position } = target;
      const { op, content, emoji, on } = server.wish(`mine, edited ${server.log.length}`);
      const made = { edit: () => stage.chat.edit(target, content), delete: () => stage.chat.delete({ id, position }), react: () => stage.chat.react(target, emoji, on), pin: () => stage.chat.pin(target, on) };
      made[op]().catch(() => {});
      checkPending(shown, id, stage.chat);
    },
    () => server.mark(),
    () => server.handle(),
    () => server.handle(),
    () => server.lose(),
    () => {
      const content = `mine ${wanted.length}`;
      wanted.push(content);
      stage.chat.send({ conversation: CONVERSATION, content }).catch(() => {});
    },
    () => {
      application.isSlow = !application.isSlow;
      if (!application.isSlow) application.goOn?.();
    },
    () => pass(2_000),
    async () => {
      if (random() > 0.2) return;
      const state = JSON.parse(JSON.stringify(stage.chat.save()));
      stage.chat.close();
      application.isSlow = false;
      application.goOn?.();
      await application.taking;
      server.socket = null;
      stage.open({ ...options, state });
      application.listen();
      restores += 1;
    },
  ];
  for (let step = 0; step < STEPS; step += 1) {
    await connect();
    await steps[Math.floor(random() * steps.length)]();
  }
  application.isSlow = false;
  application.goOn?.();
  for (let turn = 0; turn < 200; turn += 1) {
    await connect();
    server.handle();
    await pass(2_000);
    const saved = stage.chat.save();
    if (server.socket && saved.sends.length === 0 && saved.loads.length === 0 && application.view.size === server.byId.size) break;
  }
  await settle();
  const pending = stage.chat.save().sends.length + shown.messages(CONVERSATION).filter((message) => message.pending).length;
  stage.chat.close();
  return { pending, server, application, wanted, window, restores };
}

/** The last pending edit of a message is seen, unless it is deleted. */
function checkPending(shown, id, chat) {
  const message = shown.message(id);
  const mine = chat.save().sends.filter((draft) => draft.message === id);
  const edits = mine.filter(({ op }) => op === 'edit');
  if (!message || message.deleted) return;
  assert.ok(message.pending.length >= mine.length);
  if (edits.length > 0) assert.equal(message.content, edits.at(-1).content);
}

/** Without `changed`, as of one's own change without effect only the client knows it, and `edited_at`, which is a guess. */
function inOrder(messages) {
  return [...messages].sort((one, two) => comparePositions(one.position, two.position)).map((message) => {
    const { id, content, position, deleted, reactions, reaction_counts, pinned_at } = { ...UNCHANGED, ...message };
    return { id, content, position, deleted, reactions, reaction_counts, isPinned: pinned_at !== null };
  });
}

test('whatever fails, the view is the server\'s, nothing was given twice, and each send is one message', async () => {
  const total = { resets: 0, restores: 0, messages: 0 };
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { pending, server, application, wanted, window, restores } = await run(seed);
    const where = `seed ${seed}, window ${window}`;
    assert.deepEqual(inOrder(application.view.values()), inOrder(server.byId.values()), where);
    assert.deepEqual(inOrder(application.shown.messages(CONVERSATION)), inOrder(server.byId.values()), where);
    assert.deepEqual(application.twice, [], where);
    assert.equal(pending, 0, where);
    const sent = server.pushes(0).filter(({ t, d }) => t === 'message' && d.sender === 'ana');
    const mine = sent.map(({ d }) => d.content);
    assert.deepEqual(mine.toSorted(), wanted.toSorted(), where);
    if (window === 1) assert.deepEqual(mine, wanted, where);
    total.resets += server.resets;
    total.restores += restores;
    total.messages += server.byId.size;
  }
  assert.ok(total.resets > SEEDS && total.restores > SEEDS / 2 && total.messages > 20 * SEEDS, JSON.stringify(total));
});
