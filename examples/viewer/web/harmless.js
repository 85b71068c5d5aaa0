// Takes out of a recording what could act by itself in the replay. The frame's sandbox and the stage's policy (see
// pages/stage.rs) hold without this, except against what no policy governs: hints to connect to a host.

/** Wherever they stand: `rel` makes a link connect, the others run, navigate, or tell somebody. */
const ACTING = /^(on.*|rel|http-equiv|ping|srcdoc|action|formaction|autofocus|autoplay)$/i;

const FORBIDDEN = ['__proto__', 'constructor', 'prototype'];

/** The same event without it. Anything may be in it, however deep. */
export function harmless(event) {
  const open = [event];
  while (open.length) {
    const value = open.pop();
    if (Array.isArray(value)) {
      for (const item of value) if (item && typeof item === 'object') open.push(item);
      continue;
    }
    for (const key of FORBIDDEN) if (Object.hasOwn(value, key)) delete value[key];
    for (const key of Object.keys(value)) {
      const inner = value[key];
      if (!inner || typeof inner !== 'object') continue;
      if (key === 'attributes' && !Array.isArray(inner)) tame(inner);
      open.push(inner);
    }
  }
  return event;
}

function tame(attributes) {
  for (const name of Object.keys(attributes)) {
    const value = attributes[name];
    const script = typeof value === 'string' && /^[\s\u0000-\u001f]*(javascript|vbscript):/i.test(value);
    if (script || ACTING.test(name)) delete attributes[name];
  }
}

/** What rrweb can play: it takes everything else for granted. */
export function isEvent(event) {
  return Boolean(event) && typeof event === 'object' && Number.isInteger(event.type) && event.type >= 0 && event.type <= 6
    && Number.isFinite(event.timestamp) && Boolean(event.data) && typeof event.data === 'object';
}
