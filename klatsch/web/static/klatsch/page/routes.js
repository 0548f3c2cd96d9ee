/** Every view and its address. A view's module is loaded when it is first shown. */

/** @type {import('./logic/routes.js').Route[]} */
export const ROUTES = [
  { path: '/', tag: 'k-welcome', load: () => import('./views/welcome.js'), title: 'welcome.title' },
  { path: '/c/:conversation', tag: 'k-conversation', load: () => import('./views/conversation.js'), title: 'conversation.title' },
  { path: '/c/:conversation/m/:message', tag: 'k-conversation', load: () => import('./views/conversation.js'), title: 'conversation.title' },
  { path: '/with/:user', tag: 'k-conversation', load: () => import('./views/conversation.js'), title: 'conversation.title' },
  { path: '/people', tag: 'k-people', load: () => import('./views/people.js'), title: 'people.title' },
  { path: '/login', tag: 'k-login', load: () => import('./views/login.js'), title: 'login.title', isPublic: true },
];

export const NOT_FOUND = { path: '', tag: 'k-missing', load: () => import('./views/missing.js'), title: 'missing.title' };
export const LOGIN = '#/login';
