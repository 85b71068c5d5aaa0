import Tracker from '@openreplay/tracker';

const tracker = new Tracker({
  projectKey: 'key',
  ingestPoint: `${location.origin}/ingest`,
  __DISABLE_SECURE_MODE: true,
  network: {
    sessionTokenHeader: true,
    failuresOnly: false,
    ignoreHeaders: true,
    capturePayload: false,
    captureInIframes: false,
    tokenUrlMatcher: (url) => page.origins.includes(new URL(url, location.href).origin),
  },
});
tracker.start();
tracker.setUserID(page.user);
window.recorderId = () => tracker.getSessionID();
