//! The versions of OpenTelemetry: each a module of its own, made from the same files.
//!
//! To add one: a feature and two dependencies in `Cargo.toml`, and its name in the lines below, in
//! `outbound/versions.rs` and in `lib.rs`.

use crate::id::SessionId;

/// The modules of all versions, and what must ask each of them. In the files of a version,
/// `opentelemetry` and `opentelemetry_sdk` are that version's.
macro_rules! versions {
    ($($module:ident $sdk:ident $feature:literal)*) => {
        $(
            // What differs: for the code, and for the examples in the docs.
            #[cfg(feature = $feature)]
            macro_rules! this_version {
                () => {
                    use ::$module as opentelemetry;
                    use ::$sdk as opentelemetry_sdk;
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

        /// What a layer or middleware does with OpenTelemetry itself: nothing, unless the user says so.
        #[derive(Debug, Clone, Copy, Default)]
        pub(crate) struct Settings {
            $(
                #[cfg(feature = $feature)]
                pub(crate) $module: VersionSettings,
            )*
        }

        /// The session in the current context of each version that it was asked for.
        #[derive(Debug, Default)]
        pub(crate) struct Attached {
            $(
                #[cfg(feature = $feature)]
                $module: Option<$module::context::Attached>,
            )*
        }

        impl Settings {
            /// Whether there is a context to put the session into.
            #[inline]
            pub(crate) const fn attaches(&self) -> bool {
                $(
                    #[cfg(feature = $feature)]
                    if self.$module.context {
                        return true;
                    }
                )*
                false
            }

            /// Whether there may be an active span to tag.
            #[inline]
            pub(crate) const fn tags(&self) -> bool {
                $(
                    #[cfg(feature = $feature)]
                    if self.$module.tag_active_span {
                        return true;
                    }
                )*
                false
            }

            /// Puts the session, or that there is none, into the current contexts.
            #[allow(unused_variables, unused_mut, reason = "there may be no version")]
            pub(crate) fn attach(&self, session: Option<&SessionId>) -> Attached {
                let mut attached = Attached::default();
                $(
                    #[cfg(feature = $feature)]
                    if self.$module.context {
                        attached.$module = $module::context::attach(session);
                    }
                )*
                attached
            }

            /// Tags the spans that are active, of the versions that it was asked for.
            #[allow(unused_variables, reason = "there may be no version")]
            pub(crate) fn tag_active_spans(&self, session: &SessionId) {
                $(
                    #[cfg(feature = $feature)]
                    if self.$module.tag_active_span {
                        $module::active_span::tag(session);
                    }
                )*
            }
        }

        /// The spans that are active in each version.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub(crate) struct ActiveSpans {
            $(
                #[cfg(feature = $feature)]
                $module: Option<$module::active_span::ActiveSpan>,
            )*
        }

        impl ActiveSpans {
            #[cfg(feature = "tracing-subscriber")]
            pub(crate) fn now() -> Self {
                Self {
                    $(
                        #[cfg(feature = $feature)]
                        $module: $module::active_span::active_span(),
                    )*
                }
            }

            /// Without those that were active before.
            #[cfg(feature = "tracing-subscriber")]
            #[allow(unused_variables, reason = "there may be no version")]
            pub(crate) fn without(self, before: Self) -> Self {
                Self {
                    $(
                        #[cfg(feature = $feature)]
                        $module: self.$module.filter(|_| self.$module != before.$module),
                    )*
                }
            }

            /// Tags these, where they are active.
            #[allow(unused_variables, reason = "there may be no version")]
            pub(crate) fn tag(self, session: &SessionId) {
                $(
                    #[cfg(feature = $feature)]
                    if self.$module.is_some()
                        && self.$module == $module::active_span::active_span()
                    {
                        $module::active_span::tag(session);
                    }
                )*
            }
        }

        impl ActiveSpans {
            /// Puts on these, where they are active, what the session has besides `session.id`.
            #[allow(unused_variables, reason = "there may be no version")]
            pub(crate) fn label(self, session: &SessionId) {
                $(
                    #[cfg(feature = $feature)]
                    if self.$module.is_some()
                        && self.$module == $module::active_span::active_span()
                    {
                        $module::active_span::label(session);
                    }
                )*
            }
        }

        /// Whether a span that is active was tagged when it started, because its context holds a
        /// session.
        pub(crate) fn was_tagged_when_started() -> bool {
            $(
                #[cfg(feature = $feature)]
                if $module::active_span::was_tagged_when_started() {
                    return true;
                }
            )*
            false
        }

        /// Whether a span is active that no `SessionSampler` was asked about. `None` if none is active.
        #[cfg(feature = "tracing-subscriber")]
        pub(crate) fn is_sampler_missing() -> Option<bool> {
            $(
                #[cfg(feature = $feature)]
                if $module::active_span::active_span().is_some() {
                    return Some(!$module::sampler::has_run());
                }
            )*
            None
        }
    };
}

versions! {
    opentelemetry_0_32 opentelemetry_sdk_0_32 "opentelemetry_0_32"
    opentelemetry_0_33 opentelemetry_sdk_0_33 "opentelemetry_0_33"
}

/// What is set for one version.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(
    not(any(feature = "opentelemetry_0_32", feature = "opentelemetry_0_33")),
    allow(dead_code, reason = "there is no version")
)]
pub(crate) struct VersionSettings {
    pub(crate) context: bool,
    pub(crate) tag_active_span: bool,
}
