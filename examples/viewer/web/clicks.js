// Clicks, those that nothing came of, and fields that a form refuses.
import { listen, quietly } from './quietly.js';
import { isShown, nameOf } from './privacy.js';
import { note } from './record.js';

/** A click is dead if nothing has come of it after this long, in ms. */
const DEAD = 1_000;
/** The browser itself does something. */
const OWN_EFFECT = 'input:not([type=button],[type=submit],[type=reset],[type=image]), textarea, select, option, label, video, audio, iframe, canvas, summary, [contenteditable], a[download], a[target]';

let lastEffect = 0;

/** Something has happened: a request, a change of the page. */
export const hasEffect = () => { lastEffect = performance.now(); };

/** What waits to be recorded. @type {Set<() => void>} */
const waiting = new Set();

export function start() {
  listen(window, 'click', (event) => {
    const target = event.composedPath()[0];
    if (!(target instanceof Element)) return;
    // A click on an icon is one on its button.
    const element = target.closest('button, a, label, summary, input, select, textarea, [role=button], [role=link]') ?? target;
    const [at, time] = [performance.now(), Date.now()];
    const what = nameOf(element);
    if (!what) return;
    const click = { what, x: Math.round(event.clientX), y: Math.round(event.clientY) };
    const canBeDead = !target.closest(OWN_EFFECT);
    const { href } = location;
    const finish = (/** @type {boolean} */ isOver) => {
      if (!waiting.delete(early)) return;
      const isDead = isOver && canBeDead && lastEffect < at && href == location.href && document.visibilityState == 'visible';
      note('click', isDead ? { ...click, dead: true } : click, time);
    };
    const early = () => finish(false);
    waiting.add(early);
    setTimeout(() => quietly(finish, true), DEAD);
  });
  listen(window, 'pagehide', () => waiting.forEach((finish) => finish()));

  listen(document, 'invalid', ({ target }) => {
    const what = nameOf(target);
    if (!what) return;
    const { validity, validationMessage } = target;
    // Other messages of a browser tell what was filled in: "'abc' is missing an '@'".
    const isPlain = isShown(target) || validity.valueMissing || validity.customError;
    const rule = Object.keys(ValidityState.prototype).find((rule) => rule != 'valid' && validity[rule]);
    note('invalid', { what, message: isPlain ? validationMessage : rule ?? 'invalid' });
  });
}
