/** Product text of accounts: signing in, settings, members, invitations, dialogs. */

/** @type {Record<string, import('../strings.js').Text>} */
export const ACCOUNT = {};
