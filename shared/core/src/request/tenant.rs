//! A tenant: the part before the first `:` in the names of its channels.

use http::{StatusCode, header};

use crate::access::{Grant, Identity, Right};
use crate::channel::{ChannelName, NameShape};
use crate::error::{Error, ErrorKind, Result};
use crate::function::Function;
use crate::http::Reply;
use crate::http::headers::{reply, set};
use crate::settings::Settings;

/// A tenant, whose channels can be erased together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The prefix of its channels' names, `:` included. No channel has this name: a ticket that
    /// manages this name manages them all.
    beginning: ChannelName,
}

impl Tenant {
    /// Reads a tenant from the rest of a request path.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ChannelNameInvalid`]; [`ErrorKind::MethodNotAllowed`] for every method except
    /// `DELETE`.
    pub(crate) fn parse(path: &str, method: &str) -> Result<Tenant> {
        if method != "DELETE" {
            return Err(Error::method_not_allowed(method, "DELETE, OPTIONS"));
        }
        let name = ChannelName::from_path(path, NameShape::Segment)?;
        let beginning = name.beginning().ok_or_else(|| {
            Error::new(
                ErrorKind::ChannelNameInvalid,
                "a tenant must be named by the part of a channel name before the first `:`",
            )
        })?;
        Ok(Tenant { beginning })
    }

    /// Checks that the identity may manage all of the tenant's channels, for example by a ticket
    /// for `tenant:*`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CredentialMissing`] or [`ErrorKind::AccessDenied`] without the right.
    pub fn authorize<F: Function>(
        self,
        identity: &Identity,
        settings: &Settings,
    ) -> Result<Tenant> {
        Grant::new(identity, F::authorize(identity, &self.beginning, settings))
            .demand(Right::Manage)?;
        Ok(self)
    }

    /// The prefix of its channels' names, `:` included.
    pub fn beginning(&self) -> &str {
        self.beginning.as_str()
    }

    /// The answer after channels were erased: 204, or 202 if more are left and the client must
    /// repeat the request.
    pub fn erased(is_done: bool) -> Reply {
        if is_done {
            return reply(StatusCode::NO_CONTENT, "");
        }
        let mut reply = reply(StatusCode::ACCEPTED, "");
        set(&mut reply, header::RETRY_AFTER, "1");
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_stands_before_the_first_colon() {
        let of = |name: &str| {
            ChannelName::from_path(name, NameShape::Path).unwrap().tenant().map(str::to_owned)
        };
        assert_eq!(of("team:a"), Some("team".into()));
        assert_eq!(of("team:a:b/c"), Some("team".into()));
        for without in ["team", ":a", "a/team:b"] {
            assert_eq!(of(without), None, "{without}");
        }
    }

    #[test]
    fn has_a_name_that_no_channel_has() {
        assert_eq!(Tenant::parse("team", "DELETE").unwrap().beginning(), "team:");
        assert_eq!(
            ChannelName::from_path("team:", NameShape::Segment).unwrap_err().kind(),
            ErrorKind::ChannelNameInvalid
        );
        for bad in ["", "team:", "team:a", "a%2Fb", "a/b", "-a", &"x".repeat(255)] {
            assert_eq!(
                Tenant::parse(bad, "DELETE").unwrap_err().kind(),
                ErrorKind::ChannelNameInvalid,
                "{bad:?}"
            );
        }
        assert_eq!(Tenant::parse("team", "GET").unwrap_err().kind(), ErrorKind::MethodNotAllowed);
    }
}
