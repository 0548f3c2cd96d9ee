/** The form of such a page: the link's proof leaves the address bar at once, and is sent when the button is pressed. */

import { prove } from './link.js';

const { hash, pathname } = location;
history.replaceState(null, '', pathname);
const form = document.querySelector('form');
const status = document.querySelector('[role=status]');

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = form.querySelector('button');
  button.disabled = true;
  const password = form.elements.new_password?.value;
  const { done, said } = await prove({ path: form.dataset.path, hash, cookie: document.cookie, password }, fetch);
  status.textContent = said;
  form.hidden = done;
  button.disabled = false;
});
