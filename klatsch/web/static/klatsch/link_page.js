/** Leads from the link of an e-mail to the page. The link's proof is in no history: its address is replaced. */

import { addressOf } from './link.js';

location.replace(addressOf(document.documentElement.dataset.view ?? '', location.hash));
