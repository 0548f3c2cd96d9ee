/** A group's members with their roles, and those who are invited. */

import { del, get, patch, post } from '../api.js';
import { openDialog } from '../dialog.js';
import { el } from '../element.js';
import { makeForm, textOf } from '../form.js';
import { hrefOf } from '../logic/routes.js';
import { toast } from '../notes.js';
import { pagesOf, takeOut } from '../pages.js';
import { session } from '../session.js';
import { t } from '../strings.js';
import { makeChooser } from './chooser.js';
import { dayTag } from './time.js';

const ROLES = ['owner', 'admin', 'member'];

/** @typedef {{group: any, path: string, role: string, changed: () => void}} Context `role` is one's own */

/** @param {Context} context */
export function membersPart(context) {
  const { group, path, role } = context;
  return el('section', { class: 'stack' },
    el('h2', {}, t('members.title', { count: group.member_count })),
    role === 'member' ? null : addPart(context),
    pagesOf((after) => get(`${path}/members${after}`), (one) => memberRow(context, one), ''));
}

/** @param {Context} context */
function addPart({ path, changed }) {
  const chooser = makeChooser({ label: t('members.add'), hint: t('members.add_hint'), isLeftOut: (user) => user === session.me?.username });
  return makeForm({
    fields: [], before: [chooser.element], submit: t('members.add_submit'), kind: '',
    run: async () => {
      const users = chooser.value();
      if (users.length === 0) return chooser.tell(t('members.choose'));
      for (const username of users) {
        const answer = await post(`${path}/members`, { username });
        toast(t(answer.state ? 'members.invited' : 'members.added', { user: username }));
      }
      chooser.clear();
      return changed();
    },
  }).element;
}

/** @param {Context} context @param {any} member */
function memberRow(context, { user, role }) {
  const isMe = user === session.me?.username;
  const mayRemove = !isMe && (context.role === 'owner' || (context.role === 'admin' && role === 'member'));
  const shown = context.role === 'owner' ? roleSelect(context, user, role) : role !== 'member' && el('span', { class: 'badge quiet' }, t(`role.${role}`));
  return el('li', { class: 'row' },
    el('div', { class: 'grow' }, isMe ? t('members.you', { user }) : el('a', { href: hrefOf('with', user) }, user)), shown,
    mayRemove && el('button', { class: 'button danger', type: 'button', 'aria-label': t('members.remove_label', { user }), onclick: () => remove(context, user) }, t('members.remove')));
}

/** @param {Context} context @param {string} user @param {string} role */
function roleSelect({ path, changed }, user, role) {
  const select = el('select', { class: 'role', 'aria-label': t('members.role', { user }), onchange: () => change() },
    ROLES.map((one) => el('option', { value: one, selected: one === role }, t(`role.${one}`))));

  async function change() {
    try {
      await patch(`${path}/members/${encodeURIComponent(user)}`, { role: select.value });
      toast(t('members.role_done', { user, role: t(`role.${select.value}`) }));
      if (user === session.me?.username) changed();
      else role = select.value;
    } catch (error) {
      select.value = role;
      toast(textOf(error));
    }
  }

  return select;
}

/** @param {Context} context @param {string} user */
function remove({ path, changed }, user) {
  openDialog({
    title: t('members.remove_title', { user }), body: [el('p', {}, t('members.remove_text'))],
    actions: [{
      label: t('members.remove'), kind: 'danger', run: async () => {
        await del(`${path}/members/${encodeURIComponent(user)}`);
        toast(t('members.removed', { user }));
        changed();
      },
    }],
  });
}

/** @param {Context} context */
export function invitedPart({ path }) {
  const row = (/** @type {any} */ one) => {
    const item = el('li', { class: 'row' },
      el('div', { class: 'grow' }, el('p', {}, one.user), el('p', { class: 'sub' }, t('invitations.by', { user: one.invited_by }), ' · ', t('invitations.until'), ' ', dayTag(one.expires_at))),
      el('button', { class: 'button', type: 'button', 'aria-label': t('invited.withdraw_label', { user: one.user }), onclick: () => withdraw(one, item) }, t('invited.withdraw')));
    return item;
  };
  return el('section', { class: 'stack' }, el('h2', { tabindex: -1 }, t('invited.title')), pagesOf((after) => get(`${path}/invitations${after}`), row, t('invited.none')));
}

/** @param {any} one @param {HTMLElement} row */
async function withdraw(one, row) {
  try {
    await del(`invitations/${encodeURIComponent(one.id)}`);
    takeOut(row);
    toast(t('invited.withdrawn', { user: one.user }));
  } catch (error) {
    toast(textOf(error));
  }
}
