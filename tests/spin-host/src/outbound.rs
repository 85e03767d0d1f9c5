//! Outbound requests, only to the hosts that `allowed_outbound_hosts` grants.

use http::Uri;
use wasmtime::error::Context;
use wasmtime::{Result, bail, ensure};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// One entry of `allowed_outbound_hosts`: `scheme://host[:port]`, each part possibly `*`.
#[derive(Debug)]
pub struct Grant {
    scheme: Option<String>,
    host: Host,
    port: Option<std::ops::RangeInclusive<u16>>,
}

#[derive(Debug)]
enum Host {
    Any,
    /// With the leading dot.
    Suffix(String),
    Exact(String),
}

impl Grant {
    /// # Errors
    ///
    /// When Spin would refuse the entry, or when the entry needs something that this host does not
    /// offer: requests to the application itself, to another component, or to a network.
    pub fn parse(entry: &str) -> Result<Self> {
        let (scheme, rest) = entry.trim().split_once("://").with_context(|| {
            format!("{entry:?} does not contain a scheme (such as 'http://' or '*://')")
        })?;
        ensure!(
            scheme == "*" || scheme.chars().all(char::is_alphabetic),
            "{entry:?}: the scheme contains a non alphabetic character"
        );
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        ensure!(
            !rest.contains('/'),
            "{entry:?} has a path or a network, which this host does not offer"
        );
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let host = match host {
            "*" => Host::Any,
            "self" | "self.alt" => {
                bail!("{entry:?}: requests to the application itself are not offered by this host")
            }
            host if host.ends_with(".spin.internal") => {
                bail!("{entry:?}: service chaining is not offered by this host")
            }
            host => match host.strip_prefix("*.") {
                Some(domain) => Host::Suffix(format!(".{domain}")),
                None => Host::Exact(host.to_owned()),
            },
        };
        if let Host::Suffix(name) | Host::Exact(name) = &host {
            ensure!(
                !name.is_empty() && !name.contains('*'),
                "{entry:?}: wildcards are allowed only as prefixes"
            );
        }
        let number = |text: &str| {
            text.parse::<u16>().with_context(|| format!("{entry:?}: port {text:?} is not a number"))
        };
        let port = match port {
            "*" => None,
            "" => well_known_port(scheme)
                .map(|port| port..=port)
                .with_context(|| format!("{entry:?} has no port and its scheme has no default"))?
                .into(),
            port => match port.split_once("..") {
                // The end of a range does not belong to it, as in Spin.
                Some((start, end)) => Some(number(start)?..=number(end)?.saturating_sub(1)),
                None => Some(number(port)?..=number(port)?),
            },
        };
        Ok(Self { scheme: (scheme != "*").then(|| scheme.to_owned()), host, port })
    }

    fn allows(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return false };
        self.covers(scheme, host, uri.port_u16())
    }

    /// Whether this entry grants the host and the port, without one the default port of the scheme.
    pub fn covers(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let port = port.or_else(|| well_known_port(scheme));
        self.scheme.as_deref().is_none_or(|granted| granted == scheme)
            && match &self.host {
                Host::Any => true,
                Host::Suffix(suffix) => host.ends_with(suffix.as_str()),
                Host::Exact(granted) => granted == host,
            }
            && self
                .port
                .as_ref()
                .is_none_or(|granted| port.is_some_and(|port| granted.contains(&port)))
    }
}

fn well_known_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        "mysql" => Some(3306),
        "postgres" => Some(5432),
        _ => None,
    }
}

/// The hooks of a component's own requests.
pub struct Outbound {
    pub grants: std::sync::Arc<[Grant]>,
}

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        if self.grants.iter().any(|grant| grant.allows(request.uri())) {
            return wasmtime_wasi_http::default_hooks().send_request(request, options, processed);
        }
        eprintln!("outbound request to {} denied: add it to allowed_outbound_hosts", request.uri());
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

/// The hooks of incoming requests: the guest sees every header that the server keeps, as in Spin.
pub struct Incoming;

impl WasiHttpHooks for Incoming {
    fn is_forbidden_header(&mut self, _: &http::HeaderName) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entry: &str, uri: &'static str) -> bool {
        Grant::parse(entry).expect(entry).allows(&Uri::from_static(uri))
    }

    #[test]
    fn a_grant_names_scheme_host_and_port() {
        assert!(allows("https://example.com", "https://example.com/a?b"));
        assert!(!allows("https://example.com", "http://example.com/"));
        assert!(!allows("https://example.com", "https://example.com:8443/"));
        assert!(!allows("https://example.com", "https://www.example.com/"));
        assert!(allows("http://127.0.0.1:8000..8010", "http://127.0.0.1:8009/"));
        assert!(!allows("http://127.0.0.1:8000..8010", "http://127.0.0.1:8010/"));
    }

    #[test]
    fn each_part_may_be_a_wildcard() {
        assert!(allows("*://*:*", "http://anything:1/"));
        assert!(allows("https://*.example.com", "https://a.b.example.com/"));
        assert!(!allows("https://*.example.com", "https://example.com/"));
        assert!(allows("http://localhost:*", "http://localhost:5000/"));
    }

    #[test]
    fn a_server_without_a_port_has_the_default_port_of_its_scheme() {
        let covers = |entry, scheme| Grant::parse(entry).expect(entry).covers(scheme, "db", None);
        assert!(covers("redis://db", "redis"));
        assert!(covers("redis://db:6379", "redis"));
        assert!(!covers("redis://db:6380", "redis"));
        assert!(!covers("rediss://db:6379", "rediss"));
        assert!(covers("rediss://db:*", "rediss"));
    }

    #[test]
    fn refuses_what_it_cannot_grant() {
        for entry in [
            "example.com",
            "http://self",
            "http://other.spin.internal",
            "https://example.com/path",
            "tcp://x",
            "http://a.*.com",
            "http://x:port",
        ] {
            assert!(Grant::parse(entry).is_err(), "{entry}");
        }
    }
}
