// Whether a session is among the share `ratio` of all sessions: the formula of `SessionId::is_sampled`, to the bit.
// `id` is a well-formed session ID: ASCII only.
function isSampled(id, ratio) {
  const mix = (k) => (k = Math.imul(k, 0xcc9e2d51), Math.imul((k << 15) | (k >>> 17), 0x1b873593));
  let hash = 0, block = 0, i = 0;
  for (; i < id.length; i++) {
    block |= id.charCodeAt(i) << (8 * (i % 4));
    if (i % 4 < 3) continue;
    hash ^= mix(block), block = 0;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash ^= mix(block) ^ id.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  return new DataView(Int32Array.of(hash).buffer).getUint32(0) < ratio * 4294967296;
}
