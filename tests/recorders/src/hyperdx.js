import HyperDX from '@hyperdx/browser';

HyperDX.init({
  apiKey: 'key',
  service: 'page',
  url: `${location.origin}/intake`,
  disableReplay: true,
  tracePropagationTargets: page.origins.map((origin) => new RegExp(`^${origin}`)),
});
window.HyperDX = HyperDX;
window.recorderId = () => HyperDX.getSessionId();
