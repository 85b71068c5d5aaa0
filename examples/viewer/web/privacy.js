// What of the page is shown. Everything that is recorded passes through here, once, before it is kept or sent.
import { record } from '@rrweb/record';
import { bare, bareCss, bareImage, bareSet, blank, stars } from './clean.js';
import { mode } from './tag.js';

export const BLOCK = 'qorrelate-block';

/** What an element is in, itself included: bits. */
const BLOCKED = 1;
const PRIVATE = 2;
/** In something that the user fills in. */
const TYPED = 4;

/** What was private once, stays so: a password field that a button turns into text, what is moved out of a private part. */
const knownPrivate = new WeakSet();

const CONTROLS = /^(INPUT|TEXTAREA|SELECT)$/;
const SENSITIVE_TYPES = /^(password|email|tel|hidden)$/;
const SENSITIVE_PURPOSES = /\b(cc-\w+|tel|email|username|one-time-code|(current|new)-password)/;
const SENSITIVE_NAMES =
  /pass(?!enger)|pwd|secret|token|e-?mail|phone|mobile|^tel|card-?_?n|credit|\bcc|cv[cv2]|csc|iban|account-?_?n|\bpin\b|otp|one-?_?time|verification|ssn/i;

/** @param {any} element */
const isSensitive = ({ type, autocomplete, name, id }) =>
  SENSITIVE_TYPES.test(type) || SENSITIVE_PURPOSES.test(autocomplete) ||
  SENSITIVE_NAMES.test(name) || SENSITIVE_NAMES.test(id);

/** @param {any} node */
function own(node) {
  let nature = knownPrivate.has(node) ? PRIVATE : 0;
  if (node.designMode == 'on') nature |= TYPED;
  if (node.nodeType != 1) return nature;
  if (node.classList.contains(BLOCK)) nature |= BLOCKED;
  if (node.hasAttribute('data-private') || node.localName == 'noscript') nature |= PRIVATE;
  const { tagName } = node;
  if (CONTROLS.test(tagName)) {
    if (isSensitive(node)) nature |= PRIVATE;
    if (tagName != 'INPUT') nature |= TYPED;
  }
  const editable = node.getAttribute('contenteditable');
  if (tagName == 'DATALIST' || node.role == 'textbox' || (editable != null && editable != 'false')) nature |= TYPED;
  if (nature & PRIVATE) knownPrivate.add(node);
  return nature;
}

/** Also out of a shadow root or a frame. @param {any} node */
const parentOf = (node) => node.parentNode ?? node.host ?? node.defaultView?.frameElement;

/**
 * @param {any} node
 * @returns {number}
 */
function natureOf(node) {
  let nature = 0;
  for (let at = node; at; at = parentOf(at)) nature |= own(at);
  if (node && nature & PRIVATE) knownPrivate.add(node);
  return nature;
}

/** What the user has filled in, by field, so that it is found where the page repeats it. @type {Map<any, [string, boolean]>} */
const filledIn = new Map();

/** @param {any} field @param {boolean} isPrivate */
function remember(field, isPrivate) {
  const value = field.value;
  if (typeof value != 'string' || value.length < 4 || /^(hidden|checkbox|radio|range|color)$/.test(field.type)) return;
  filledIn.delete(field);
  filledIn.set(field, [value, isPrivate]);
  if (filledIn.size > 50) filledIn.delete(filledIn.keys().next().value);
}

/**
 * @param {string} text
 * @param {boolean} [everything] also what is in fields that are masked only by the mode
 */
export function withoutFilledIn(text, everything) {
  for (const [field, [known, isPrivate]] of filledIn) {
    if (!isPrivate && !everything) continue;
    // rrweb does not tell of another value that looks the same once it is masked.
    for (const value of new Set([known, field.value]))
      for (const form of [value, encodeURIComponent(value)])
        if (form.length > 3 && text.includes(form)) text = text.replaceAll(form, blank(form));
  }
  return text;
}

/** A text that the page shows. @param {string} text @param {number} nature of where it is */
function shown(text, nature) {
  const isMasked = nature & PRIVATE || mode == 'mask-all' || (nature & TYPED && mode == 'mask-inputs');
  return isMasked ? stars(text) : withoutFilledIn(text);
}

/** The value of a field. @param {any} field @param {string} value @param {number} nature */
function filled(field, value, nature) {
  const { type, tagName } = field;
  if (tagName == 'INPUT' && /^(submit|button|reset|image)$/.test(type)) return shown(value, nature);
  if (nature & PRIVATE) return blank(value);
  return mode == 'mask-sensitive' ? value : stars(value);
}

/** What in a private part tells nothing but how it looks. */
const LOOKS = /^(class|id|style|type|role|rel|media|width|height|viewbox|colspan|rowspan|rows|cols|size|open|hidden|disabled|dir|lang|slot|name|xmlns|_csstext|rr_(?!src).*)$/i;
const URLS = /^((xlink:)?href|src|action|formaction|poster|data|background|cite|ping|manifest|longdesc|codebase|rr_src)$/i;
const TEXTS = /^(placeholder|title|alt|label|summary|abbr|download|aria-(label|description|placeholder|valuetext|roledescription|braille\w+))$/i;
const FIELDS = /^(input|textarea|select|option)$/;

/**
 * @param {any} element as it is in the page
 * @param {Record<string, any>} attributes as they would be recorded; changed
 * @param {number} nature
 */
function attributes(element, attributes, nature) {
  const tag = element.localName ?? '';
  const isPrivate = nature & PRIVATE;
  const isStrict = isPrivate || mode == 'mask-all';
  if (isStrict) delete attributes.checked;
  if (isPrivate || mode != 'mask-sensitive') delete attributes.selected;
  for (const [name, value] of Object.entries(attributes)) {
    if (name == 'style' && value && typeof value == 'object') {
      for (const [property, set] of Object.entries(value))
        value[property] = Array.isArray(set) ? [style(property, set[0], isStrict), set[1]] : style(property, set, isStrict);
    }
    if (typeof value != 'string' || !value) continue;
    attributes[name] = attribute(element, tag, name, value, nature, isStrict);
    if (attributes[name] == null) delete attributes[name];
  }
}

/** @param {string} property @param {any} value @param {any} isStrict */
const style = (property, value, isStrict) =>
  typeof value == 'string' ? bareCss(`${property}:${value}`, !!isStrict).slice(property.length + 1) : value;

/**
 * @param {any} element
 * @param {string} tag
 * @param {string} name
 * @param {string} value
 * @param {number} nature
 * @param {any} isStrict
 * @returns {string | undefined} nothing: without the attribute
 */
function attribute(element, tag, name, value, nature, isStrict) {
  if (/^on|^(srcdoc|nonce|integrity)$/i.test(name)) return;
  if (name == 'style' || name == '_cssText') return bareCss(value, !!isStrict);
  if (name == 'value' && FIELDS.test(tag)) return filled(element, value, nature);
  if (nature & PRIVATE) return LOOKS.test(name) ? value : URLS.test(name) || /srcset/i.test(name) ? undefined : stars(value);
  if (tag == 'meta' && name == 'content') return /^(viewport|color-scheme|theme-color)$/.test(element.name) ? value : '';
  if (/srcset/i.test(name)) return bareSet(value);
  if (URLS.test(name)) return withoutFilledIn(/^(a|area|form|base|link|iframe)$/.test(tag) ? bare(value) : bareImage(value));
  if (TEXTS.test(name)) return shown(value, nature);
  // The page's own. A stylesheet may ask for a state, which is a word.
  const isOwn = /^data-|[:.@_]/.test(name) || tag.includes('-') ||
    (name.includes('-') && !/^aria-/.test(name) && !element.ownerSVGElement) ||
    (name == 'value' && /^(button|data|param)$/.test(tag));
  const isKnown = /^(class|id|slot|role|rr_.*|accept-charset|http-equiv|xml.*)$/.test(name);
  if (name == 'aria-valuenow' && mode != 'mask-sensitive') return stars(value);
  if (isOwn && !isKnown && (isStrict || !/^([a-z]+(-[a-z]+)*|\d{1,3})$/.test(value) || value.length > 24)) return stars(value);
  return value;
}

/**
 * @param {any} node as it would be recorded, with what is in it; changed
 * @param {number} outer the nature of its parent
 */
function tree(node, outer) {
  const live = /** @type {any} */ (record.mirror.getNode(node.id));
  // What is gone already can't be asked.
  const nature = outer | (live ? own(live) : PRIVATE);
  if (live && nature & PRIVATE) knownPrivate.add(live);
  if (node.type == 3) node.textContent = textOf(live, node.textContent, nature);
  if (node.type == 2) {
    attributes(live ?? node, node.attributes, nature);
    if (live && CONTROLS.test(live.tagName)) remember(live, !!(nature & PRIVATE));
    onElement(live, node.attributes);
  }
  for (const child of node.childNodes ?? []) tree(child, nature);
}

/** @param {any} live @param {string} text @param {number} nature */
function textOf(live, text, nature) {
  const place = live?.parentNode?.localName;
  // No replay shows it.
  if (place == 'title' && !live.parentNode.ownerSVGElement) return '';
  if (place == 'style') return bareCss(text, !!(nature & PRIVATE || mode == 'mask-all'));
  return shown(text, nature);
}

/** Told of each element that is recorded. */
let onElement = (/** @type {any} */ _live, /** @type {Record<string, any>} */ _attributes) => {};
export const tellOfElements = (/** @type {typeof onElement} */ tell) => { onElement = tell; };

/** @param {any} data of a mutation; changed */
function mutation(data) {
  const live = (/** @type {number} */ id) => /** @type {any} */ (record.mirror.getNode(id));
  data.adds = data.adds.filter((/** @type {any} */ add) => {
    const nature = natureOf(live(add.parentId));
    return !(nature & BLOCKED) && (tree(add.node, nature), true);
  });
  const visible = (/** @type {any} */ change) => {
    change.live = live(change.id);
    change.nature = natureOf(change.live);
    return change.live && !(natureOf(parentOf(change.live)) & BLOCKED || own(change.live) & BLOCKED);
  };
  data.texts = data.texts.filter(visible).map((/** @type {any} */ { id, value, live, nature }) =>
    ({ id, value: value && textOf(live, value, nature) }));
  data.attributes = data.attributes.filter(visible).map((/** @type {any} */ { id, attributes: changed, live, nature }) => {
    attributes(live, changed, nature);
    return { id, attributes: changed };
  });
  return data.adds.length || data.texts.length || data.attributes.length || data.removes.length;
}

/** Where the pointer was, but in what is blocked: it may be a keypad. @param {any} data of moves; changed */
function pointer(data) {
  // rrweb knows nothing that is inside of it.
  data.positions = data.positions.filter((/** @type {{ id: number }} */ { id }) => id > 0 && !(natureOf(record.mirror.getNode(id)) & BLOCKED));
  return !!data.positions.length;
}

/** @param {any} data of an input; changed */
function input(data) {
  const field = /** @type {any} */ (record.mirror.getNode(data.id));
  const nature = natureOf(field);
  if (!field || nature & BLOCKED) return false;
  remember(field, !!(nature & PRIVATE));
  data.text = filled(field, data.text, nature);
  if (nature & PRIVATE || mode == 'mask-all') data.isChecked = false;
  return true;
}

/** @param {any} value @param {boolean} withoutTexts @returns {any} the same, with all CSS in it bare */
function sheet(value, withoutTexts) {
  if (typeof value == 'string') return bareCss(value, withoutTexts);
  if (Array.isArray(value)) return value.map((part) => sheet(part, withoutTexts));
  if (value && typeof value == 'object')
    for (const key in value) value[key] = sheet(value[key], withoutTexts);
  return value;
}

/**
 * Masks an event of rrweb's.
 *
 * @param {any} event changed
 * @returns {boolean} false: nothing of it may be recorded
 */
export function mask(event) {
  const { type, data } = event;
  if (type == 4) data.href = withoutFilledIn(bare(data.href));
  if (type == 2) tree(data.node, 0);
  if (type != 3) return true;
  switch (data.source) {
    case 0: return !!mutation(data);
    case 1: case 6: case 12: return pointer(data);
    case 5: return input(data);
    case 8: case 13: case 15: sheet(data, mode == 'mask-all'); return true;
    default: return true;
  }
}

/**
 * What can be read in an element, as far as it may be recorded.
 *
 * @param {any} element
 * @param {number} longest
 */
export function readable(element, longest = 60) {
  let text = '';
  const read = (/** @type {any} */ node, /** @type {number} */ outer) => {
    const nature = outer | own(node);
    if (nature & BLOCKED || text.length > longest) return;
    if (node.nodeType == 3) text += shown(node.data, nature) + ' ';
    else if (!/^(script|style|noscript|textarea|select)$/.test(node.localName)) for (const child of node.childNodes) read(child, nature);
  };
  read(element, natureOf(element));
  return text.replace(/\s+/g, ' ').trim().slice(0, longest);
}

/**
 * What an element is called: nothing if it is blocked.
 *
 * @param {any} element
 */
export function nameOf(element) {
  const nature = natureOf(element);
  if (nature & BLOCKED) return;
  const { localName, type } = element;
  const kind = /** @type {Record<string, string>} */ ({ a: 'link', select: 'list', textarea: 'field', summary: 'button' })[localName] ??
    (localName != 'input' ? element.getAttribute('role') ?? localName
      : /^(submit|button|reset|image)$/.test(type) ? 'button' : /^(checkbox|radio)$/.test(type) ? type : 'field');
  const attribute = (/** @type {string} */ name) => shown(element.getAttribute(name) ?? '', nature);
  const label = attribute('aria-label') || (element.labels?.[0] && readable(element.labels[0])) ||
    (kind == 'button' && localName == 'input' ? attribute('value') : '') || readable(element) ||
    attribute('title') || attribute('alt') || attribute('placeholder') || element.getAttribute('name') || element.id;
  return label ? `${kind} "${label.slice(0, 60)}"` : kind;
}

/** Whether the value of a field is shown. @param {any} field */
export const isShown = (field) => mode == 'mask-sensitive' && !(natureOf(field) & (PRIVATE | BLOCKED));
