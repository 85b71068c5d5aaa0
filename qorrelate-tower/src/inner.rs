//! Access to the service inside of each of ours.

/// The methods that tower-http's services have too.
macro_rules! inner_methods {
    () => {
        /// The inner service.
        pub const fn get_ref(&self) -> &S {
            &self.inner
        }

        /// The inner service, to change.
        pub const fn get_mut(&mut self) -> &mut S {
            &mut self.inner
        }

        /// The inner service alone.
        pub fn into_inner(self) -> S {
            self.inner
        }
    };
}

pub(crate) use inner_methods;
