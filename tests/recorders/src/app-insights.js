import { ApplicationInsights } from '@microsoft/applicationinsights-web';

const appInsights = new ApplicationInsights({
  config: {
    connectionString: `InstrumentationKey=0c3f2a6e-9f0b-4f5e-8d53-8a8a3a0d2c11;IngestionEndpoint=${location.origin}/intake/`,
  },
});
appInsights.loadAppInsights();
appInsights.setAuthenticatedUserContext(page.user.replace('@', '%40'), undefined, true);
appInsights.trackPageView();
window.appInsights = appInsights;
window.recorderId = () => appInsights.context?.sessionManager?.automaticSession?.id;
