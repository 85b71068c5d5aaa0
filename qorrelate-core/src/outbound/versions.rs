//! The propagator of each version of OpenTelemetry, made from the same file.

/// As in `telemetry/versions.rs`.
macro_rules! versions {
    ($($module:ident $sdk:ident $feature:literal)*) => {
        $(
            #[cfg(feature = $feature)]
            macro_rules! this_version {
                () => {
                    use ::$module as opentelemetry;
                    #[cfg(test)]
                    use ::$sdk as opentelemetry_sdk;

                    use crate::telemetry::versions::$module::context;
                };
                (opentelemetry) => {
                    stringify!($module)
                };
                (opentelemetry_sdk) => {
                    stringify!($sdk)
                };
            }

            #[cfg(feature = $feature)]
            #[path = "opentelemetry/version.rs"]
            pub(crate) mod $module;
        )*
    };
}

versions! {
    opentelemetry_0_32 opentelemetry_sdk_0_32 "opentelemetry_0_32"
    opentelemetry_0_33 opentelemetry_sdk_0_33 "opentelemetry_0_33"
}
