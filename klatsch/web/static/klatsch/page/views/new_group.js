/** A new group. */

import { ApiError, post } from '../api.js';
import { Part, el, fill } from '../element.js';
import { makeForm } from '../form.js';
import { icon } from '../icons.js';
import { hrefOf } from '../logic/routes.js';
import { toast } from '../notes.js';
import { makeChooser } from '../parts/chooser.js';
import { session } from '../session.js';
import { listOf, t } from '../strings.js';

class NewGroup extends Part {
  start() {
    const chooser = makeChooser({ label: t('group.members'), hint: t('group.members_hint'), isLeftOut: (user) => user === session.me?.username });
    const { element } = makeForm({
      fields: [
        { name: 'title', label: t('group.title'), most: 200, written: true },
        { name: 'description', label: t('group.description'), type: 'textarea', most: 500, optional: true, written: true },
      ],
      before: [chooser.element],
      submit: t('group.create'),
      run: async (values) => {
        try {
          this.#open(await post('conversations', { ...values, members: chooser.value() }));
        } catch (error) {
          const wrong = error instanceof ApiError && Object.entries(error.fields).filter(([name]) => name.startsWith('members'));
          if (!wrong || wrong.length === 0) throw error;
          chooser.tell(wrong.flatMap(([, said]) => said).join(' '));
        }
      },
    });
    fill(this, el('div', { class: 'panel' },
      el('header', { class: 'panel-head' },
        el('a', { class: 'icon-button only-narrow', href: '#/', 'aria-label': t('settings.back') }, icon('back')),
        el('h1', { tabindex: -1 }, t('group.new'))),
      element));
  }

  /** @param {any} group */
  #open({ id, invited }) {
    if (invited.length > 0) toast(t('group.invited', { users: listOf(invited) }));
    if (this.isConnected) location.replace(hrefOf('c', id));
  }
}

customElements.define('k-new-group', NewGroup);
