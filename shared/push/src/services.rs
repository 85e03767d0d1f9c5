//! The push services that messages may be sent to.

use crate::error::{Error, Refusal, Result};

/// Name of the setting.
const SETTING: &str = "PUSH_SERVICES";

/// An allow-list of origins. Without it, any user could make the server send requests to an address
/// inside its own network.
///
/// Names are checked, not addresses: what a listed name resolves to is up to its owner.
#[derive(Clone, Debug)]
pub struct PushServices(Vec<Service>);

/// A listed origin, or all whose hosts are below one.
#[derive(Clone, Debug)]
struct Service {
    scheme: String,
    /// With the port, unless that is the scheme's own.
    host: String,
    /// Any host below is meant, and not this one.
    is_parent: bool,
}

impl PushServices {
    /// The services of browsers: Chrome and most others, Chromium that is not Google's build,
    /// Firefox, Safari, Edge on Windows. In the form of the setting.
    pub const KNOWN: [&str; 5] = [
        "fcm.googleapis.com",
        "jmt17.google.com",
        "*.push.services.mozilla.com",
        "*.push.apple.com",
        "*.notify.windows.com",
    ];

    /// Reads the setting `PUSH_SERVICES`, which replaces the known services: hosts separated by
    /// commas, where `*.` stands for any host below. `http://` and a port may be given, for a
    /// service of your own: `push.example.com, http://localhost:8991`. The empty text is the known
    /// services.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`], naming the position of the wrong entry.
    pub fn parse(text: &str) -> Result<PushServices> {
        let mut services = Vec::new();
        for (index, entry) in
            text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).enumerate()
        {
            services.push(Service::parse(entry).ok_or_else(|| Error::Setting {
                name: SETTING,
                why: format!(
                    "has an invalid entry {}: it must be a host in lower case as `push.example.com`, `*.example.com` or `http://localhost:8991`",
                    index + 1
                ),
            })?);
        }
        Ok(if services.is_empty() { PushServices::default() } else { PushServices(services) })
    }

    /// Checks that an endpoint belongs to a listed service, and returns the length of its origin.
    ///
    /// The text before the path is compared with the list as it is, and parsed by no other rule:
    /// no parser of the platform can find another host in it.
    pub(crate) fn check(&self, endpoint: &str) -> Result<usize, Refusal> {
        let (scheme, rest) = endpoint.split_once("://").ok_or(Refusal::EndpointMalformed)?;
        let host = rest.split(['/', '?', '#', '\\']).next().filter(|host| rest.len() > host.len());
        let host = host.ok_or(Refusal::EndpointMalformed)?;
        if self.0.iter().any(|service| service.has(scheme, host)) {
            return Ok(endpoint.len() - rest.len() + host.len());
        }
        // The reason that helps most.
        let name = host.rsplit_once('@').map_or(host, |(_, name)| name);
        Err(if scheme != "https" {
            Refusal::EndpointNotHttps
        } else if name != host {
            Refusal::EndpointHasCredentials
        } else if name.rsplit_once(']').map_or(name, |(_, port)| port).contains(':') {
            Refusal::EndpointHasPort
        } else {
            Refusal::ServiceUnknown
        })
    }
}

impl Default for PushServices {
    /// [`PushServices::KNOWN`].
    fn default() -> PushServices {
        PushServices(PushServices::KNOWN.into_iter().filter_map(Service::parse).collect())
    }
}

impl Service {
    fn parse(entry: &str) -> Option<Service> {
        let (scheme, host) = entry.split_once("://").unwrap_or(("https", entry));
        let own_port = match scheme {
            "https" => ":443",
            "http" => ":80",
            _ => return None,
        };
        // As browsers write it.
        let host = host.strip_suffix(own_port).unwrap_or(host);
        let (is_parent, host) = host.strip_prefix("*.").map_or((false, host), |host| (true, host));
        let (name, port) = host.split_once(':').unwrap_or((host, "1"));
        // The hosts below a top-level domain belong to everybody.
        let is_right = name.split('.').all(is_label)
            && (!is_parent || name.contains('.'))
            && port.parse::<u16>().is_ok_and(|port| port > 0);
        is_right.then(|| Service { scheme: scheme.into(), host: host.into(), is_parent })
    }

    fn has(&self, scheme: &str, host: &str) -> bool {
        let below = || host.strip_suffix(self.host.as_str())?.strip_suffix('.');
        self.scheme == scheme
            && if self.is_parent {
                below().is_some_and(|names| names.split('.').all(is_label))
            } else {
                host == self.host
            }
    }
}

/// Whether this is a part of a host name, as browsers write it.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin<'a>(services: &PushServices, endpoint: &'a str) -> Result<&'a str, Refusal> {
        services.check(endpoint).map(|bytes| &endpoint[..bytes])
    }

    #[test]
    fn the_services_of_browsers_are_known() {
        let known = PushServices::default();
        for origin in [
            "https://fcm.googleapis.com",
            "https://jmt17.google.com",
            "https://updates.push.services.mozilla.com",
            "https://web.push.apple.com",
            "https://wns2-db5p.notify.windows.com",
            "https://a.b.push.apple.com",
        ] {
            for path in ["/wpush/v2/gAAA", "/", "/w/?token=BQYA%3d", "/fcm/send/a:b@c"] {
                assert_eq!(self::origin(&known, &format!("{origin}{path}")), Ok(origin));
            }
        }
    }

    #[test]
    fn no_other_address_is_taken() {
        let known = PushServices::default();
        for (endpoint, refusal) in [
            // Private addresses and names.
            ("https://127.0.0.1/", Refusal::ServiceUnknown),
            ("https://10.0.0.1/a", Refusal::ServiceUnknown),
            ("https://192.168.1.1/a", Refusal::ServiceUnknown),
            ("https://169.254.169.254/latest/meta-data", Refusal::ServiceUnknown),
            ("https://2130706433/", Refusal::ServiceUnknown),
            ("https://0x7f.1/", Refusal::ServiceUnknown),
            ("https://0177.0.0.1/", Refusal::ServiceUnknown),
            ("https://localhost/", Refusal::ServiceUnknown),
            ("https://metadata.google.internal/", Refusal::ServiceUnknown),
            ("https://printer.local/", Refusal::ServiceUnknown),
            ("https://[::1]/", Refusal::ServiceUnknown),
            ("https://[fd00::1]/", Refusal::ServiceUnknown),
            ("https://[::ffff:127.0.0.1]/", Refusal::ServiceUnknown),
            ("https://[fe80::1%25eth0]/", Refusal::ServiceUnknown),
            // Names that resemble a known one.
            ("https://fcm.googleapis.com.evil.example/", Refusal::ServiceUnknown),
            ("https://evil-fcm.googleapis.com/", Refusal::ServiceUnknown),
            ("https://evilpush.apple.com/", Refusal::ServiceUnknown),
            ("https://push.apple.com/", Refusal::ServiceUnknown),
            ("https://.push.apple.com/", Refusal::ServiceUnknown),
            ("https://a..push.apple.com/", Refusal::ServiceUnknown),
            ("https://fcm.googleapis.com./", Refusal::ServiceUnknown),
            ("https://web.push.apple.com./", Refusal::ServiceUnknown),
            ("https://FCM.googleapis.com/", Refusal::ServiceUnknown),
            ("https://WEB.push.apple.com/", Refusal::ServiceUnknown),
            ("https://fcm.googleapis.co\u{fc}/", Refusal::ServiceUnknown),
            ("https://b\u{fc}cher.push.apple.com/", Refusal::ServiceUnknown),
            ("https://fcm\u{3002}googleapis\u{3002}com/", Refusal::ServiceUnknown),
            ("https://\u{ff46}cm.googleapis.com/", Refusal::ServiceUnknown),
            ("https://evil.example%2f.push.apple.com/", Refusal::ServiceUnknown),
            ("https://evil.example%00.push.apple.com/", Refusal::ServiceUnknown),
            ("https://evil.example\t.push.apple.com/", Refusal::ServiceUnknown),
            ("https://evil.example\\.push.apple.com/", Refusal::ServiceUnknown),
            ("https://evil.example?.push.apple.com/", Refusal::ServiceUnknown),
            ("https://evil.example#.push.apple.com/", Refusal::ServiceUnknown),
            ("https:///fcm.googleapis.com/", Refusal::ServiceUnknown),
            ("https:// fcm.googleapis.com/", Refusal::ServiceUnknown),
            // Credentials, ports, schemes.
            ("https://user@fcm.googleapis.com/", Refusal::EndpointHasCredentials),
            ("https://user:pass@fcm.googleapis.com/", Refusal::EndpointHasCredentials),
            ("https://fcm.googleapis.com@127.0.0.1/", Refusal::EndpointHasCredentials),
            ("https://fcm.googleapis.com:443@127.0.0.1/", Refusal::EndpointHasCredentials),
            ("https://@fcm.googleapis.com/", Refusal::EndpointHasCredentials),
            ("https://fcm.googleapis.com:443/", Refusal::EndpointHasPort),
            ("https://fcm.googleapis.com:8443/", Refusal::EndpointHasPort),
            ("https://fcm.googleapis.com:/", Refusal::EndpointHasPort),
            ("https://web.push.apple.com:22/", Refusal::EndpointHasPort),
            ("https://[::1]:443/", Refusal::EndpointHasPort),
            ("http://fcm.googleapis.com/", Refusal::EndpointNotHttps),
            ("HTTPS://fcm.googleapis.com/", Refusal::EndpointNotHttps),
            ("ftp://fcm.googleapis.com/", Refusal::EndpointNotHttps),
            (" https://fcm.googleapis.com/", Refusal::EndpointNotHttps),
            ("javascript://fcm.googleapis.com/%0aalert(1)", Refusal::EndpointNotHttps),
            ("https:fcm.googleapis.com/", Refusal::EndpointMalformed),
            ("//fcm.googleapis.com/", Refusal::EndpointMalformed),
            ("https:/fcm.googleapis.com/", Refusal::EndpointMalformed),
            ("https://fcm.googleapis.com", Refusal::EndpointMalformed),
            ("fcm.googleapis.com/fcm/send/a", Refusal::EndpointMalformed),
            ("data:text/plain,a", Refusal::EndpointMalformed),
            ("", Refusal::EndpointMalformed),
        ] {
            assert_eq!(origin(&known, endpoint), Err(refusal), "{endpoint}");
        }
    }

    #[test]
    fn the_setting_replaces_the_known_services() {
        let own = PushServices::parse(
            "http://localhost:8991, *.example.com,push.example.net:443, https://a.example:8443",
        )
        .unwrap();
        for (endpoint, expected) in [
            ("http://localhost:8991/notify/a", Ok("http://localhost:8991")),
            ("https://x.example.com/a", Ok("https://x.example.com")),
            ("https://push.example.net/a", Ok("https://push.example.net")),
            ("https://a.example:8443/a", Ok("https://a.example:8443")),
            ("https://a.example/a", Err(Refusal::ServiceUnknown)),
            ("https://localhost:8991/a", Err(Refusal::EndpointHasPort)),
            ("http://localhost/a", Err(Refusal::EndpointNotHttps)),
            ("https://fcm.googleapis.com/a", Err(Refusal::ServiceUnknown)),
            ("https://127.0.0.1.example.com/a", Ok("https://127.0.0.1.example.com")),
        ] {
            assert_eq!(origin(&own, endpoint), expected, "{endpoint}");
        }
        assert!(
            origin(&PushServices::parse(" , ").unwrap(), "https://fcm.googleapis.com/a").is_ok()
        );
    }

    #[test]
    fn an_entry_that_is_too_wide_or_not_a_host_is_refused() {
        for entry in [
            "*",
            "*.com",
            "*.",
            "https://*",
            "a.*.example.com",
            "example.com/path",
            "user@example.com",
            "example.com:0",
            "example.com:x",
            "example.com:99999",
            "Example.com",
            "example.com.",
            ".example.com",
            "ftp://example.com",
            "[::1]",
            "b\u{fc}cher.example",
        ] {
            let error = PushServices::parse(&format!("a.example,{entry}")).unwrap_err();
            assert!(
                error.to_string().starts_with("PUSH_SERVICES has an invalid entry 2:"),
                "{entry}: {error}"
            );
        }
    }
}
