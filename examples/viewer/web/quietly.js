// Nothing that goes wrong in here is seen by the page. It is counted: `qorrelate.failures`.

export const counts = { failures: 0 };

/** Ends what `listen` and `observe` began. */
export const end = new AbortController();

/**
 * @template {unknown[]} Given, Result
 * @param {(...given: Given) => Result} work
 * @param {Given} given
 * @returns {Result | undefined} nothing if it failed
 */
export function quietly(work, ...given) {
  try {
    return work(...given);
  } catch {
    counts.failures++;
  }
}

/**
 * @param {EventTarget} target
 * @param {string} types with spaces between them
 * @param {(event: any) => void} handler
 */
export function listen(target, types, handler) {
  const options = { capture: true, passive: true, signal: end.signal };
  for (const type of types.split(' ')) target.addEventListener(type, (event) => quietly(handler, event), options);
}

/**
 * @param {string} type of performance entries; a browser that knows no such thing reports none
 * @param {(entry: any) => void} handler
 */
export function observe(type, handler) {
  quietly(() => {
    if (!PerformanceObserver.supportedEntryTypes.includes(type)) return;
    const observer = new PerformanceObserver((list) => list.getEntries().forEach((entry) => quietly(handler, entry)));
    observer.observe({ type, buffered: true });
    end.signal.addEventListener('abort', () => observer.disconnect());
  });
}

/**
 * Sees the calls of a function of the page's, which stay what they were.
 *
 * @param {any} owner
 * @param {string} name
 * @param {(given: any[], self: any) => ((result: any) => any) | void} before what it returns is handed the result, and
 *   may return another
 */
export function watch(owner, name, before) {
  quietly(() => {
    owner[name] = new Proxy(owner[name], {
      apply(call, self, given) {
        const after = end.signal.aborted ? undefined : quietly(before, given, self);
        const result = Reflect.apply(call, self, given);
        return after ? quietly(after, result) ?? result : result;
      },
    });
  });
}
