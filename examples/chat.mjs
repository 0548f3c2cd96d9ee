// A chat in the terminal: what is typed goes to one person, and what anybody writes is shown.
//   TOKEN=… node examples/chat.mjs http://localhost:8000 bob
// `/edit text` gives the last message that you have sent another text, and `/delete` deletes it.
// The state is kept in a file, so that a second run sends what the first could not, and shows what was missed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Chat } from '../clients/js/src/client.js';

const [url, to, file = 'chat-state.json'] = process.argv.slice(2);
const state = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
const chat = new Chat({ url, token: process.env.TOKEN, window: 1, state });
const save = () => writeFileSync(file, JSON.stringify(chat.save()));

chat.onstatus = (status, _code, reason) => console.log(`(${[status, reason].filter(Boolean).join(': ')})`);

const typed = createInterface({ input: process.stdin });
let last; // what the last send resolves to
typed.on('line', (line) => {
  const content = line.replace(/^\/edit /, '');
  const made = last && content !== line ? last.then((sent) => chat.edit(sent, content))
    : last && line === '/delete' ? last.then((sent) => chat.delete(sent))
    : (last = chat.send({ to, content: line }));
  made.catch((error) => console.log(`(not done: ${error.code}) ${line}`));
});
typed.on('close', () => {
  save();
  chat.close();
});

for await (const { t, d } of chat.events()) {
  if (t === 'message' || t === 'message_changed') console.log(`${d.sender}: ${d.content}`);
  else if (t === 'state' && d.kind === 'message') console.log(`${d.sender}: ${d.content} (${d.sent_at})`);
  else if (t === 'message_edited') console.log(`${d.by} has edited: ${d.content}`);
  else if (t === 'message_deleted') console.log(`${d.by} has deleted a message`);
  else if (t === 'sent') console.log(`${chat.user}: ${d.content}`);
  else if (t === 'reset') console.log('(something was missed: all is loaded anew)');
  if (t === 'mark') save();
}
