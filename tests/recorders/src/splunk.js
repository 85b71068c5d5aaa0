import { SplunkRum } from '@splunk/otel-web';

SplunkRum.init({
  beaconEndpoint: `${location.origin}/intake`,
  rumAccessToken: 'token',
  applicationName: 'page',
  allowInsecureBeacon: true,
});
SplunkRum.setGlobalAttributes({ 'enduser.id': page.user });
window.SplunkRum = SplunkRum;
window.recorderId = () => SplunkRum.getSessionId();
