// What a page loads to be recorded: docs/replay.md.
import './tag.js';
import './library/qorrelate.js';
import * as clicks from './clicks.js';
import * as errors from './errors.js';
import * as page from './page.js';
import * as pointer from './pointer.js';
import { counts, end, quietly } from './quietly.js';
import * as record from './record.js';
import * as requests from './requests.js';
import * as send from './send.js';
import * as speed from './speed.js';
import * as toasts from './toasts.js';

const { qorrelate } = /** @type {any} */ (window);

// A second tag changes nothing. A frame is part of its page's recording.
if (qorrelate && !('failures' in qorrelate)) {
  Object.assign(qorrelate, {
    identify: (/** @type {unknown} */ who) => quietly(send.identify, who),
    addError: (/** @type {unknown} */ error) => quietly(errors.addError, error),
    stop: () => quietly(() => (send.flush(), end.abort())),
  });
  Object.defineProperties(qorrelate, {
    sessionId: { get: () => qorrelate.id() },
    failures: { get: () => counts.failures },
  });
  if (window == top) quietly(start);
}

function start() {
  requests.tellOfRequests(clicks.hasEffect);
  record.tellOfEvents(({ type, data }) => {
    if (type != 3) return;
    // Not of the pointer alone, nor of focus and selection.
    if ([0, 3, 5, 7, 8, 13, 15].includes(data.source)) clicks.hasEffect();
    if (data.source == 0) toasts.lookSoon();
    speed.isBusy();
  });
  for (const { start } of [toasts, record, pointer, page, errors, requests, clicks, speed, send]) quietly(start);
}
