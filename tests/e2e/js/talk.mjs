/**
 * Two people who write to each other without a pause, and change what was written, each with a chat on a gateway of their own, told what to do on stdin.
 *
 * A line each: `save <name>` ends that chat in the middle and goes on with a new one from its state; `stop` lets them finish,
 * and then prints what each has in view. On stdout, as JSON: how many sends were answered so far, and what was done.
 * While a gateway is away, so many sends wait and no more: what is to be loaded and compared stays small.
 */

import { createInterface } from 'node:readline';
import { applyDelta, Chat, comparePositions, View } from '../../../clients/js/src/client.js';

const PAUSE_MS = 10;
const UNSETTLED_MOST = 40;
const LAST = 'the last one';
const CHANGE_EVERY = 5;
const DELTAS = new Set(['message_edited', 'message_deleted', 'reaction', 'pinned']);
const OUTCOMES = new Set(['closed', 'gone', 'limit_reached']); // those beside `ok` that a change may have here

function say(what) {
  console.log(JSON.stringify(what));
}

/** One person's view, by what the client's events say and nothing else; `shown` is the library's. */
class Someone {
  constructor({ name, url, token, to, window }) {
    Object.assign(this, { name, to, options: { url, token, window } });
    this.view = new Map();
    this.shown = new View();
    this.extras = 0;
    this.changes = 0;
    this.sends = 0;
    this.answered = new Map();
    this.closed = 0;
    this.twice = [];
    this.loading = new Set();
    this.resets = 0;
    this.connects = 0;
    this.changed = () => {};
    this.#open();
  }

  #open(state) {
    this.chat = new Chat({ ...this.options, state, view: this.shown });
    this.chat.onstatus = (status) => (this.connects += Number(status === 'open'));
    this.taking = this.#take(this.chat);
  }

  async #take(chat) {
    for await (const event of chat.events()) {
      this.#see(event);
      this.changed();
    }
  }

  #see({ t, pos, d }) {
    if (DELTAS.has(t)) {
      const before = this.view.get(d.id);
      const isNewer = before && comparePositions(pos, before.changed ?? before.position) > 0;
      if (isNewer) this.view.set(d.id, applyDelta(before, { t, pos, d }));
    } else if (t === 'message' || t === 'sent') {
      if (this.view.has(d.id)) this.twice.push({ t, ...d });
      this.view.set(d.id, d);
    } else if (t === 'mark') this.isThere = true;
    else if (t === 'message_changed' || (t === 'state' && d.kind === 'message')) this.view.set(d.id, d);
    else if (t === 'loaded') this.loading.delete(d.conversation);
    else if (t === 'refused' && !OUTCOMES.has(d.code)) throw new Error(`refused: ${JSON.stringify(d)}`);
    else if (t === 'reset') {
      this.resets += 1;
      this.loading = new Set([...this.loading, ...d.conversations]);
      for (const [id, { conversation }] of this.view) {
        if (conversation === undefined || d.conversations.includes(conversation)) this.view.delete(id);
      }
    }
  }

  /** Sends, and waits for nothing: the client's window does. */
  send(content) {
    this.sends += 1;
    const sent = this.chat.send({ to: this.to, content });
    return sent.then(
      ({ id, position }) => this.answered.set(id, { position, content }),
      (error) => {
        if (error.code !== 'closed') throw error;
        this.closed += 1; // the chat that comes after finishes it
      },
    );
  }

  /** Changes something: reacts to a late message, or sends one more, edits it and perhaps deletes it. */
  async change(number) {
    const late = [...this.view.values()].at(-1 - (number % 5));
    const { chat } = this;
    try {
      if (late) await Promise.all([chat.react(late, number % 3 === 0 ? '👍' : '🎉', number % 4 !== 0), chat.pin(late, number % 2 === 0)]);
      this.extras += 1;
      const sent = await chat.send({ to: this.to, content: `draft ${number} by ${this.name}` });
      const edits = ['edited', 'edited again'].map((content) => chat.edit(sent, `${content}: ${number} by ${this.name}`));
      if (number % 2 === 0) edits.push(chat.delete(sent));
      await Promise.all(edits);
      this.changes += 2 + edits.length;
    } catch (error) {
      if (!OUTCOMES.has(error.code)) throw error;
    }
  }

  get unsettled() {
    return this.sends - this.answered.size - this.closed;
  }

  async saveAndRestore() {
    const state = JSON.stringify(this.chat.save());
    this.chat.close();
    await this.taking;
    this.#open(JSON.parse(state));
    return { unfinished: JSON.parse(state).sends.length };
  }

  async until(condition) {
    while (!condition()) await new Promise((resolve) => (this.changed = resolve));
  }

  /** Until all is in view: one's own and the other's last message, and what is loaded. */
  async finish(other) {
    const isLast = (from) => ({ content }) => content === `${LAST} of ${from}`;
    const wanted = [this.name, other];
    await this.until(() => this.loading.size === 0 && wanted.every((from) => [...this.view.values()].some(isLast(from))));
    const view = [...this.view.values()].sort((one, two) => comparePositions(one.position, two.position));
    this.chat.close();
    await this.taking;
    return {
      view: view.map(({ id, client_id, content, position }) => [id, client_id, content, position]),
      answered: [...this.answered].map(([id, { position, content }]) => [id, content, position]),
      shown: this.shown.messages(view.find(({ conversation }) => conversation).conversation).map(
        ({ id, content, deleted, reactions, reaction_counts, pinned_at, pending }) =>
          [id, content, deleted ?? false, reactions ?? {}, reaction_counts ?? {}, pinned_at != null, pending ?? null],
      ),
      sends: this.sends,
      extras: this.extras,
      changes: this.changes,
      closed: this.closed,
      twice: this.twice,
      resets: this.resets,
      connects: this.connects,
      unfinished: this.chat.save().sends.length,
    };
  }
}

const people = JSON.parse(process.env.PEOPLE).map((person) => new Someone(person));
let isOver = false;

async function talk(someone) {
  const sent = [];
  const changing = [];
  for (let number = 1; !isOver; number += 1) {
    sent.push(someone.send(`${number} of ${someone.name}`));
    say({ name: someone.name, answered: someone.answered.size });
    do await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    while (!isOver && someone.unsettled >= UNSETTLED_MOST);
    if (number % CHANGE_EVERY === 0) changing.push(someone.change(number));
  }
  await Promise.all(changing);
  sent.push(someone.send(`${LAST} of ${someone.name}`));
  await Promise.all(sent);
}

// A chat without a state begins with its first mark: what was said before is only in the history.
for (const someone of people) await someone.until(() => someone.isThere);
const talking = people.map(talk);
for await (const line of createInterface({ input: process.stdin })) {
  const [command, name] = line.split(' ');
  if (command === 'save') say({ saved: name, ...(await people.find((one) => one.name === name).saveAndRestore()) });
  else break;
}
isOver = true;
await Promise.all(talking);
const [one, two] = people;
const views = await Promise.all([one.finish(two.name), two.finish(one.name)]);
say({ views: { [one.name]: views[0], [two.name]: views[1] } });
