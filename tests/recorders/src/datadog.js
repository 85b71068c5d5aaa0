import { datadogRum } from '@datadog/browser-rum';

datadogRum.init({
  applicationId: '0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11',
  clientToken: 'pub0123456789abcdef0123456789abcdef',
  proxy: `${location.origin}/intake`,
  service: 'page',
  sessionSampleRate: page.isSampled ? 100 : 0,
  sessionReplaySampleRate: 0,
  allowedTracingUrls: page.origins,
});
datadogRum.setUser({ id: page.user, email: page.user });
window.recorderId = () => datadogRum.getInternalContext()?.session_id;
