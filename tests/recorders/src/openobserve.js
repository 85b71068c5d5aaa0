import { openobserveRum } from '@openobserve/browser-rum';

openobserveRum.init({
  applicationId: 'page',
  clientToken: 'token',
  site: location.host,
  organizationIdentifier: 'default',
  insecureHTTP: true,
  service: 'page',
  sessionSampleRate: 100,
  allowedTracingUrls: page.origins,
});
openobserveRum.setUser({ id: page.user, email: page.user });
window.recorderId = () => openobserveRum.getInternalContext()?.session_id;
