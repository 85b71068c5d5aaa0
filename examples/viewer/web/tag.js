// What the page says in the script's tag: docs/replay.md.
import { quietly } from './quietly.js';

const tag = /** @type {HTMLScriptElement | null} */ (document.currentScript);
const said = tag?.dataset ?? {};

// By the name that the library's script knows, which runs next.
if (said.toOrigins && !said.origins) said.origins = said.toOrigins;

/** @typedef {'mask-inputs' | 'mask-all' | 'mask-sensitive'} Mode */

const MODES = ['mask-inputs', 'mask-all', 'mask-sensitive'];

export const organisation = said.orgId ?? '';

/** Of a mode that there is not, nobody knows how much it was to mask: the strictest. @type {Mode} */
export const mode = /** @type {Mode} */ (
  MODES.find((known) => known == (said.privacyMode ?? MODES[0])) ?? 'mask-all'
);

/** The share of sessions that are sent from the start. */
export const ratio = said.sample == null ? 1 : Number(said.sample);

const beside = tag?.src || location.href;

/** Where to: beside the script, unless the tag says otherwise. */
export const endpoint = quietly(() => new URL(said.endpoint || 'v1/replay', beside).href) ?? '/v1/replay';

/** On a response to a session that the backend keeps. */
export const keptHeader = said.keptHeader ?? 'X-Session-Kept';

/** After so many milliseconds without use, nothing more is recorded until there is some. */
export const idle = Number(said.idle ?? 15) * 60_000;

/** The browser's own, before anything wraps it: what is sent with it is neither tagged nor recorded. */
export const plainFetch = window.fetch;
