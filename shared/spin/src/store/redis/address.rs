//! The address of the server, from the variable `store`.

use crate::store::{Fault, Result};

const SCHEMES: [&str; 2] = ["redis://", "rediss://"];

/// An address that the host can parse. Spin writes any other into its log, with the password.
pub(super) struct Address(String);

impl Address {
    /// # Errors
    ///
    /// Their texts hold nothing of the address.
    pub(super) fn parse(address: String) -> Result<Address> {
        if address.is_empty() {
            return Err(Fault::new(
                "this build stores channels in Redis: set the variable `store` to its address, redis://HOST:PORT",
            ));
        }
        if !is_address(&address) {
            return Err(Fault::new(
                "the variable `store` must be redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss://, with a percent-encoded password",
            ));
        }
        Ok(Address(address))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The fault when the host does not take the address.
    pub(super) fn refused(&self) -> Fault {
        Fault::new(if self.0.starts_with(SCHEMES[1]) {
            "the host does not take the variable `store`: allowed_outbound_hosts must grant rediss://HOST:PORT, and the host must have TLS"
        } else {
            "the host does not take the variable `store`: allowed_outbound_hosts must grant redis://HOST:PORT"
        })
    }
}

fn is_address(address: &str) -> bool {
    let Some(rest) = SCHEMES.iter().find_map(|scheme| address.strip_prefix(scheme)) else {
        return false;
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, host) = authority.split_once('@').unwrap_or(("", authority));
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_of = |text: &str, others: &[u8]| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
    };
    // A sign that ends the authority, or a second `@`, is one of the password.
    is_of(user, b"-._~!$&'()*+,;=:%")
        && !name.is_empty()
        && is_of(name, b"-._:[]")
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
        && !path.contains('@')
}
