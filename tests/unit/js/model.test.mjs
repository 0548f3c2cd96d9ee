/**
 * Chance against the whole client: a server with a log, which loses connections, answers `unknown`, replays from the token or
 * resets, and an application that is slow, and is saved and restored. Each seed is one run.
 */

import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { comparePositions } from '../../../clients/js/src/client.js';
import { CONVERSATION, message, pass, reset, settle, Stage, token } from './fake.mjs';

afterEach(() => mock.restoreAll());

const SEEDS = 60;
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

/** One conversation's log; the archive is as far as the log. */
class Server {
  constructor(random) {
    this.random = random;
    this.log = []; // {message, push}
    this.byName = new Map();
    this.byId = new Map();
    this.handled = 0;
    this.socket = null;
    this.resets = 0;
  }

  append(more) {
    const made = message(this.log.length, more);
    this.log.push({ t: 'message', pos: made.position, d: made });
    this.byId.set(made.id, made);
    if (made.client_id) this.byName.set(made.client_id, made);
    return made;
  }

  change() {
    const found = this.log[Math.floor(this.random() * this.log.length)];
    if (!found) return;
    const at = `1:1:${this.log.length}`;
    const made = { ...this.byId.get(found.d.id), changed: at, content: `changed at ${at}` };
    this.log.push({ t: 'message_changed', pos: at, d: made });
    this.byId.set(made.id, made);
    this.socket?.say(this.log.at(-1));
  }

  write() {
    this.append({ sender: 'bob' });
    this.socket?.say(this.log.at(-1));
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
      if (way < 0.4) for (const frame of this.log.slice(from)) socket.say(frame);
      else if (way < 0.7) {
        const ids = new Set(this.log.slice(from).map(({ d }) => d.id));
        for (const id of ids) socket.say({ t: 'state', d: { kind: 'message', ...this.byId.get(id) } });
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
      const { id, d } = this.socket.written[this.handled];
      this.handled += 1;
      const fate = this.random();
      if (fate < 0.1) return this.lose();
      if (fate < 0.2) this.socket.say({ re: id, err: { code: 'rate_limited', temporary: true, retry_after: 0.5 } });
      else {
        const known = this.byName.get(d.client_id);
        const { id: name, position } = known ?? this.append({ ...d, sender: 'ana' });
        if (fate < 0.3) return this.lose();
        if (fate < 0.4) {
          this.socket.say({ re: id, err: { code: 'unknown', temporary: true } });
          if (!known) this.socket.say(this.log.at(-1));
        } else this.socket.say({ re: id, ok: { id: name, position, duplicate: known !== undefined } });
      }
    }
  }
}

/** What the application has, and whether it was given something twice. */
class Application {
  constructor(stage, random) {
    this.stage = stage;
    this.random = random;
    this.view = new Map();
    this.isSlow = false;
    this.twice = [];
  }

  listen() {
    const taking = async () => {
      for await (const { t, d } of this.stage.chat.events()) {
        if (t === 'reset') this.view.clear();
        if ((t === 'message' || t === 'sent') && this.view.has(d.id)) this.twice.push(d.id);
        if (d && d.id) this.view.set(d.id, d);
        while (this.isSlow) await new Promise((resolve) => (this.goOn = resolve));
      }
    };
    this.taking = taking();
  }
}

async function run(seed) {
  const random = chance(seed);
  mock.method(Math, 'random', random); // the client's jitter, too
  const server = new Server(random);
  const path = `/api/v1/conversations/${CONVERSATION}/messages`;
  const history = (url) => {
    const all = [...server.byId.values()].sort((one, two) => comparePositions(two.position, one.position));
    const from = Number(url.searchParams.get('cursor') ?? 0);
    if (random() < 0.2) return 503;
    return { results: all.slice(from, from + 5), next: from + 5 < all.length ? `https://chat.test${path}?cursor=${from + 5}` : null };
  };
  const window = random() < 0.5 ? 1 : 8;
  const options = { window, queue: 12 };
  const stage = new Stage(options, { [path]: history });
  const application = new Application(stage, random);
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
    () => server.mark(),
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
  stage.chat.close();
  return { server, application, wanted, window, restores };
}

function inOrder(messages) {
  return [...messages].sort((one, two) => comparePositions(one.position, two.position)).map(({ id, content, position, changed }) => ({ id, content, position, changed }));
}

test('whatever fails, the view is the server\'s, nothing was given twice, and each send is one message', async () => {
  const total = { resets: 0, restores: 0, messages: 0 };
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { server, application, wanted, window, restores } = await run(seed);
    const where = `seed ${seed}, window ${window}`;
    assert.deepEqual(inOrder(application.view.values()), inOrder(server.byId.values()), where);
    assert.deepEqual(application.twice, [], where);
    const mine = server.log.filter(({ t, d }) => t === 'message' && d.sender === 'ana').map(({ d }) => d.content);
    assert.deepEqual(mine.toSorted(), wanted.toSorted(), where);
    if (window === 1) assert.deepEqual(mine, wanted, where);
    total.resets += server.resets;
    total.restores += restores;
    total.messages += server.byId.size;
  }
  assert.ok(total.resets > SEEDS && total.restores > SEEDS / 2 && total.messages > 20 * SEEDS, JSON.stringify(total));
});
