import { SplunkRum } from '@splunk/otel-web';

SplunkRum.init({
  beaconEndpoint: `${location.origin}/intake`,
  rumAccessToken: 'token',
  applicationName: 'page',
  allowInsecureBeacon: true,
});
window.SplunkRum = SplunkRum;
window.recorderId = () => SplunkRum.getSessionId();
