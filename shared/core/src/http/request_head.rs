//! The head of an HTTP request, as far as decisions need it.

/// The head of a request, borrowed from the platform.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// Method, in upper case.
    pub method: &'a str,
    /// Address as the client sent it, for `Location`.
    pub url: &'a str,
    /// Path as sent, still percent-encoded.
    pub path: &'a str,
    /// Query without `?`; empty when there is none.
    pub query: &'a str,
    /// Looks up a header by its lower-case name; see [`fields`](crate::fields) for repeated fields.
    /// A function, so that only the needed headers cross from the platform.
    pub headers: &'a dyn Fn(&str) -> Option<String>,
}

impl RequestHead<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        (self.headers)(name)
    }
}
