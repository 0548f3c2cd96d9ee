/**
 * Two people who write to each other without a pause, each with a chat on a gateway of their own, told what to do on stdin.
 *
 * A line each: `save <name>` ends that chat in the middle and goes on with a new one from its state; `stop` lets them finish,
 * and then prints what each has in view. On stdout, as JSON: how many sends were answered so far, and what was done.
 * While a gateway is away, so many sends wait and no more: what is to be loaded and compared stays small.
 */

import { createInterface } from 'node:readline';
import { Chat, comparePositions } from '../../../clients/js/src/client.js';

const PAUSE_MS = 10;
const UNSETTLED_MOST = 40;
const LAST = 'the last one';

function say(what) {
  console.log(JSON.stringify(what));
}

/** One person's view, by what the client's events say and nothing else. */
class Someone {
  constructor({ name, url, token, to, window }) {
    Object.assign(this, { name, to, options: { url, token, window } });
    this.view = new Map();
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
    this.chat = new Chat({ ...this.options, state });
    this.chat.onstatus = (status) => (this.connects += Number(status === 'open'));
    this.taking = this.#take(this.chat);
  }

  async #take(chat) {
    for await (const event of chat.events()) {
      this.#see(event);
      this.changed();
    }
  }

  #see({ t, d }) {
    if (t === 'message' || t === 'sent') {
      if (this.view.has(d.id)) this.twice.push({ t, ...d });
      this.view.set(d.id, d);
    } else if (t === 'mark') this.isThere = true;
    else if (t === 'message_changed' || (t === 'state' && d.kind === 'message')) this.view.set(d.id, d);
    else if (t === 'loaded') this.loading.delete(d.conversation);
    else if (t === 'refused') throw new Error(`refused: ${JSON.stringify(d)}`);
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
      sends: this.sends,
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
  for (let number = 1; !isOver; number += 1) {
    sent.push(someone.send(`${number} of ${someone.name}`));
    say({ name: someone.name, answered: someone.answered.size });
    do await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    while (!isOver && someone.unsettled >= UNSETTLED_MOST);
  }
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
