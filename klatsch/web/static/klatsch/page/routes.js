/** Every view and its address. A view's module is loaded when it is first shown. */

/** @type {import('./logic/routes.js').Route[]} */
export const ROUTES = [
  { path: '/', tag: 'k-welcome', load: () => import('./views/welcome.js'), title: 'welcome.title' },
  { path: '/c/:conversation', tag: 'k-conversation', load: () => import('./views/conversation.js'), title: 'conversation.title' },
  { path: '/c/:conversation/m/:message', tag: 'k-conversation', load: () => import('./views/conversation.js'), title: 'conversation.title' },
  { path: '/c/:conversation/m/:message/found/:words', tag: 'k-conversation', load: () => import('./views/conversation.js'), title: 'conversation.title' },
  { path: '/with/:user', tag: 'k-conversation', load: () => import('./views/conversation.js'), title: 'conversation.title' },
  { path: '/people', tag: 'k-people', load: () => import('./views/people.js'), title: 'people.title' },
  { path: '/search/:words?', tag: 'k-search', load: () => import('./views/search.js'), title: 'search.title' },
  { path: '/c/:conversation/details', tag: 'k-details', load: () => import('./views/details.js'), title: 'details.title' },
  { path: '/new-group', tag: 'k-new-group', load: () => import('./views/new_group.js'), title: 'group.new' },
  { path: '/invitations', tag: 'k-invitations', load: () => import('./views/invitations.js'), title: 'invitations.title' },
  { path: '/settings/:section?', tag: 'k-settings', load: () => import('./views/settings.js'), title: 'settings.title' },
  { path: '/unsent', tag: 'k-unsent', load: () => import('./views/unsent.js'), title: 'unsent.title' },
  { path: '/login', tag: 'k-login', load: () => import('./views/login.js'), title: 'login.title', isPublic: true },
  { path: '/signup', tag: 'k-signup', load: () => import('./views/signup.js'), title: 'signup.title', isPublic: true },
  { path: '/forgot', tag: 'k-forgot', load: () => import('./views/forgot.js'), title: 'forgot.title', isPublic: true },
  { path: '/reset/:uid?/:token?', tag: 'k-reset', load: () => import('./views/proof.js'), title: 'reset.title', isPublic: true },
  { path: '/confirm/:uid?/:token?', tag: 'k-confirm', load: () => import('./views/proof.js'), title: 'confirm.title', isPublic: true },
  { path: '/link/:token?', tag: 'k-link', load: () => import('./views/link.js'), title: 'link.title', isPublic: true },
];

export const NOT_FOUND = { path: '', tag: 'k-missing', load: () => import('./views/missing.js'), title: 'missing.title' };
export const LOGIN = '#/login';
