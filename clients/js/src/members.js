/** What the server says of who belongs to a conversation: what several parts of the client must understand alike. No I/O. */

/**
 * Whether a frame is about the members of a conversation.
 * @param {{t: string, d?: any}} frame
 */
export function isMembers({ t, d }) {
  return t === 'members' || (t === 'state' && d.kind === 'members');
}

/**
 * Whether a person does not belong to the conversation any more.
 * @param {{members: {user: string, active: boolean}[]}} body of such a frame
 * @param {string | null} user
 */
export function endsFor({ members }, user) {
  return members.some((member) => member.user === user && !member.active);
}
