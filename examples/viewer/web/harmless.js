// Takes out of a recording what could act by itself in the replay. The frame's sandbox and the stage's policy (see
// pages/stage.rs) hold without this, except against what no policy governs: hints to connect to a host, and Chromium's
// habit to connect to where a frame leads before it asks the policy.

/**
 * Wherever they stand: `rel` makes a link connect, the others run, navigate, or tell somebody. Media can't be loaded,
 * and rrweb stumbles over what it says of them when it seeks.
 */
const ACTING = /^(on.*|rel|http-equiv|ping|srcdoc|action|formaction|autofocus|autoplay|rr_dataurl|rr_media.*)$/i;

const NAME = /^[a-z][\w.:-]*$/i;

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
    // What can't be a name ends the whole picture.
    if ('tagName' in value && !NAME.test(value.tagName)) value.tagName = 'div';
    if (value.type === 1 && 'publicId' in value && !NAME.test(value.name)) value.name = 'html';
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
    const elsewhere = /^src$/i.test(name) && !/^data:image\//i.test(String(value));
    if (script || elsewhere || ACTING.test(name)) delete attributes[name];
  }
}

/** What rrweb can play: it takes everything else for granted. */
export function isEvent(event) {
  return Boolean(event) && typeof event === 'object' && Number.isInteger(event.type) && event.type >= 0 && event.type <= 6
    && Number.isFinite(event.timestamp) && Boolean(event.data) && typeof event.data === 'object';
}
