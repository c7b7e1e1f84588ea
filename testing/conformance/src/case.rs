//! Names of test cases.

/// Names one case of a test: the unit that passes or fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    /// Name of the test in its file.
    pub(crate) test: &'a str,
    /// Name of the fork; empty where forks make no difference.
    pub(crate) fork: &'a str,
    /// Variant of the test; empty if there is only one.
    pub(crate) indexes: &'a str,
}
