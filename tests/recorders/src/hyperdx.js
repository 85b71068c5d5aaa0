import HyperDX from '@hyperdx/browser';

HyperDX.init({
  apiKey: 'key',
  service: 'page',
  url: `${location.origin}/intake`,
  disableReplay: true,
  tracePropagationTargets: page.origins.map((origin) => new RegExp(`^${origin}`)),
});
HyperDX.setGlobalAttributes({ userId: page.user, userEmail: page.user });
window.HyperDX = HyperDX;
window.recorderId = () => HyperDX.getSessionId();
