// What went wrong in the page, by its own account.
import { bareText } from './clean.js';
import { end, listen, watch } from './quietly.js';
import { keepSession, note } from './record.js';
import { mode } from './tag.js';

const LONGEST_TEXT = 500;
const LONGEST_STACK = 3_000;

/** Of a message, `mask-all` leaves how long it is. @param {string} text */
const said = (text) => (mode == 'mask-all' ? text.replace(/\S/g, '*') : bareText(text)).slice(0, LONGEST_TEXT);

/** An object may be anything: it is named, not shown. @param {unknown} value @returns {string} */
function described(value) {
  if (value instanceof Error) return `${value.name}: ${said(value.message)}`;
  if (typeof value == 'object' && value) return Array.isArray(value) ? `[${value.length}]` : `{${value.constructor?.name ?? ''}}`;
  return said(String(value));
}

/** Where it came from, without what it says. @param {unknown} error */
function stackOf(error) {
  const { message, stack } = /** @type {any} */ (error ?? {});
  if (typeof stack != 'string') return;
  const frames = stack.replace(String(message), '').split('\n').filter((line) => /^\s*at |@.*:\d/.test(line));
  return frames.join('\n').replace(/[?#][^\s)]*?(?=(:\d+){1,2}\)?$)/gm, '').slice(0, LONGEST_STACK);
}

/**
 * @param {unknown} error
 * @param {'error' | 'rejection' | 'reported'} kind
 * @param {string} [message] if there is no more than that
 */
function report(error, kind, message) {
  note('error', { message: error == null && message ? said(message) : described(error), stack: stackOf(error), kind });
  keepSession();
}

/** @param {unknown} error */
export const addError = (error) => report(error, 'reported');

export function start() {
  listen(window, 'error', (event) => {
    // One of an image or a script that did not load bubbles to nobody, and is none of a program.
    if (event instanceof ErrorEvent) report(event.error, 'error', event.message);
  });
  listen(window, 'unhandledrejection', (event) => report(event.reason, 'rejection'));
  for (const level of /** @type {const} */ (['error', 'warn']))
    watch(console, level, (given) => {
      if (end.signal.aborted) return;
      note('console', { level, text: given.map(described).join(' ').slice(0, LONGEST_TEXT) });
    });
}
