// Takes out of texts and URLs what no mode shows.

/** @param {string} text */
export const stars = (text) => text.replace(/\S/g, '*');

/** Says as little of a value as can be: only that there is one. @param {string} value */
export const blank = (value) => value && '********';

/**
 * A URL without the values of its query. The path stays; what has no host is reduced to its scheme.
 *
 * @param {unknown} url
 * @param {boolean} [withFragment] also one that is no path: `icons.svg#mug`
 * @returns {string}
 */
export function bare(url, withFragment) {
  const [, path, query, fragment] = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(String(url).trim()) ?? [];
  const scheme = /^[a-z][a-z\d+.-]*:/i.exec(path ?? '')?.[0];
  if (scheme && !/^(https?|wss?|about):$/i.test(scheme)) return scheme;
  const names = (query ?? '').split('&').filter((pair) => pair.includes('=')).map((pair) => pair.split('=')[0] + '=');
  const isRoute = /^!?\//.test(fragment ?? '');
  return (
    (path ?? '').replace(/\/\/[^/]*@/, '//').replace(/;([^;/=]*)=[^;/]*/g, ';$1=').slice(0, 2000) +
    (names.length ? '?' + names.join('&').slice(0, 500) : '') +
    (isRoute ? '#' + bare(fragment) : withFragment && fragment ? '#' + fragment : '')
  );
}

/** Of an image or a font: may be one in the URL itself. @param {string} url */
export const bareImage = (url) => (/^\s*data:(image|font)\//i.test(url) ? url : bare(url, true));

/** @param {string} set of images for an `img` */
export const bareSet = (set) =>
  set.split(/,\s+/).map((part) => part.trim().replace(/^\S+/, bareImage)).join(', ');

/**
 * @param {string} css
 * @param {boolean} withoutTexts also what it would write itself
 */
export function bareCss(css, withoutTexts) {
  if (css.includes('url(') || css.includes('@import'))
    css = css
      .replace(/url\(\s*(["']?)(.*?)\1\s*\)/g, (_, quote, url) => `url(${quote}${bareImage(url)}${quote})`)
      .replace(/(@import\s+)(["'])(.*?)\2/g, (_, start, quote, url) => start + quote + bare(url) + quote);
  if (withoutTexts)
    css = css.replace(/(?<=(?:^|[{;\s])(?:content|--[\w-]+)\s*:)[^;}]*/g, (value) =>
      value.replace(/(["'])(.*?)\1/g, (_, quote, text) => quote + stars(text) + quote));
  return css;
}

const SECRETS = /\b(pass\w*|pwd|secret|\w*token|api[-_]?key|auth\w*|bearer|cookie|session\w*|credential\w*)\b(["']?\s*[:=]\s*["']?|\s+)(?!\*)[^\s"',;&)}\]]+/gi;

/**
 * A text that a program wrote for programmers, without what commonly is personal or secret in it.
 *
 * @param {string} text
 */
export const bareText = (text) =>
  text
    .replace(/\b(?:https?|wss?):\/\/[^\s"'<>)\]}]+/g, (url) => bare(url))
    .replace(/([?&][\w.~%-]+=)[^\s"'<>)\]}&]*/g, '$1')
    .replace(/\beyJ[\w-]+\.[\w-]+\.?[\w-]*/g, '********')
    .replace(SECRETS, '$1$2********')
    .replace(/[\w.+-]+@[\w-]+\.[\w.-]+/g, '********')
    .replace(/\b\d(?:[ -]?\d){11,18}\b/g, '********');
