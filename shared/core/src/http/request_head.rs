//! The head of an HTTP request, as far as anything is decided by it.

/// The head of a request, borrowed from the platform.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// Method, in upper case.
    pub method: &'a str,
    /// Address as the client gave it, for `Location`.
    pub url: &'a str,
    /// Path as it came, still percent-encoded.
    pub path: &'a str,
    /// Query without `?`; empty when there is none.
    pub query: &'a str,
    /// Looks a header up by its lower-case name; see [`fields`](crate::fields) for one that came more than once. A look-up, so that only the headers that matter cross from the platform.
    pub headers: &'a dyn Fn(&str) -> Option<String>,
}

impl RequestHead<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        (self.headers)(name)
    }
}
