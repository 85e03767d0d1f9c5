//! Which credentials a deployment trusts, and the identity behind a request.

use tidewire_core::{Error, ErrorKind, Identity, RequestHead, Result, Settings, Transport};

use crate::credential::invalid;
use crate::credential::{Carrier, Credential};
use crate::jwt::Algorithm;
use crate::{TicketKeys, UnverifiedToken, jwt, origin};

/// The credentials that a function trusts, by its settings.
pub struct Access<'a> {
    function: &'a str,
    settings: &'a Settings,
    tickets: TicketKeys,
}

/// The result of [`Access::identify`].
pub enum Step {
    /// The identity is known.
    Known(Identity),
    /// Verification needs the keys at `JWKS_URL`: continue with [`UnverifiedToken::verify`].
    NeedsKeys(UnverifiedToken),
}

impl<'a> Access<'a> {
    /// Reads the settings for the function of this name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`], naming the setting that is wrong.
    pub fn new(function: &'a str, settings: &'a Settings) -> Result<Access<'a>> {
        let wrong = |why| Err(Error::new(ErrorKind::Internal, why));
        let tickets = TicketKeys::parse(settings.ticket_keys.expose())?;
        if !settings.jwks_url.is_empty() && settings.jwt_issuer.is_empty() {
            return wrong(
                "JWT_ISSUER must be set beside JWKS_URL: a provider's keys may sign for several issuers",
            );
        }
        // Over plain HTTP an attacker on the network could substitute keys.
        let is_local = ["http://127.0.0.1:", "http://localhost:"]
            .iter()
            .any(|local| settings.jwks_url.starts_with(local));
        if !settings.jwks_url.is_empty() && !settings.jwks_url.starts_with("https://") && !is_local
        {
            return wrong("JWKS_URL must begin with https://");
        }
        Ok(Access { function, settings, tickets })
    }

    /// Identifies the client, as far as possible without the keys of a provider.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CredentialInvalid`], [`ErrorKind::CredentialExpired`],
    /// [`ErrorKind::OriginDenied`], [`ErrorKind::ParameterRepeated`].
    pub fn identify(&self, head: &RequestHead<'_>, now_ms: u64) -> Result<Step> {
        let has_provider = !self.settings.jwks_url.is_empty();
        // If everything is open and nothing can be verified, a credential is for a proxy in front.
        let is_open = self.settings.open_access && self.tickets.is_empty() && !has_provider;
        let credential = if is_open { None } else { Credential::find(head)? };
        origin::check(
            head,
            credential.as_ref(),
            Transport::is_upgrade((head.headers)("upgrade").as_deref()),
            self.settings,
        )?;
        let Some(Credential { text, carrier }) = credential else {
            return Ok(Step::Known(Identity::Anonymous));
        };
        let header = jwt::header(&text)?;
        // `alg` only selects the keys; those keys then verify the signature.
        if header.algorithm == Algorithm::Hs256 {
            return self
                .tickets
                .verify(&text, &header, self.function, now_ms)
                .map(|ticket| Step::Known(Identity::Ticket(ticket)));
        }
        if carrier != Carrier::Bearer {
            return Err(invalid(
                "a token must not be sent in the URL or in a cookie: send it as `Authorization: Bearer`",
            ));
        }
        if !has_provider {
            return Err(invalid(
                "this function accepts no provider tokens, because JWKS_URL is not set: send a ticket",
            ));
        }
        let Settings { jwt_issuer, jwt_audience, .. } = self.settings;
        Ok(Step::NeedsKeys(UnverifiedToken {
            text,
            key: header.key,
            algorithm: header.algorithm,
            issuer: jwt_issuer.clone(),
            audience: jwt_audience.clone(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use tidewire_core::{Origins, Right, Secret, Ticket};

    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = Settings {
            ticket_keys: Secret::new("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ..Settings::default()
        };
        change(&mut settings);
        settings
    }

    fn ticket() -> String {
        let ticket = Ticket {
            id: None,
            subject: None,
            channels: "*".into(),
            rights: Right::Read.into(),
            expires_ms: NOW_MS + 1_000,
        };
        TicketKeys::parse(settings(|_| {}).ticket_keys.expose())
            .unwrap()
            .mint(&ticket, "chat")
            .unwrap()
    }

    /// Whether the request is from nobody or a ticket, or why it is refused.
    fn asked(
        settings: &Settings,
        method: &str,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Result<bool, ErrorKind> {
        let headers = |name: &str| {
            headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.to_string())
        };
        let head = RequestHead {
            method,
            url: "https://chat.example/room",
            path: "/room",
            query,
            headers: &headers,
        };
        match Access::new("chat", settings).unwrap().identify(&head, NOW_MS) {
            Ok(Step::Known(identity)) => Ok(identity != Identity::Anonymous),
            Ok(Step::NeedsKeys(_)) => panic!("a ticket needs no provider"),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn a_cookie_is_for_pages_of_its_own_or_an_allowed_origin() {
        let cookie = format!("tidewire-ticket={}", ticket());
        let closed = settings(|_| {});
        let open = settings(|settings| {
            settings.allowed_origins = Origins::parse("https://app.example").unwrap()
        });
        let at = |settings: &Settings, method: &str, more: &[(&str, &str)]| {
            asked(
                settings,
                method,
                "",
                &[&[("cookie", cookie.as_str()), ("host", "chat.example")], more].concat(),
            )
        };
        for more in [
            ("origin", "https://chat.example"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
        ] {
            assert_eq!(at(&closed, "POST", &[more]), Ok(true), "{more:?}");
        }
        for more in [
            ("origin", "https://app.example"),
            ("origin", "http://chat.example"),
            ("origin", "https://chat.example.evil.example"),
            ("origin", "https://chat.example:444"),
            ("origin", "null"),
            ("origin", "https://chat.example, https://chat.example"),
            ("sec-fetch-site", "same-origin, none"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(at(&closed, "GET", &[more]), Err(ErrorKind::OriginDenied), "{more:?}");
        }
        assert_eq!(at(&open, "POST", &[("origin", "https://app.example")]), Ok(true));
        assert_eq!(
            at(&open, "POST", &[("origin", "https://other.example")]),
            Err(ErrorKind::OriginDenied)
        );
        assert_eq!(
            (at(&closed, "GET", &[]), at(&closed, "POST", &[])),
            (Ok(true), Err(ErrorKind::OriginDenied))
        );
        assert_eq!(at(&closed, "GET", &[("upgrade", "websocket")]), Err(ErrorKind::OriginDenied));
    }

    #[test]
    fn a_websocket_with_a_credential_is_for_such_pages_too() {
        let query = format!("ticket={}", ticket());
        let closed = settings(|_| {});
        let open = settings(|settings| {
            settings.allowed_origins = Origins::parse("https://app.example").unwrap()
        });
        let at = |settings: &Settings, query: &str, origin: &[(&str, &str)]| {
            asked(
                settings,
                "GET",
                query,
                &[&[("upgrade", "websocket"), ("host", "chat.example")], origin].concat(),
            )
        };
        let evil = [("origin", "https://evil.example")];
        assert_eq!(
            (at(&closed, &query, &evil), at(&closed, "", &evil)),
            (Err(ErrorKind::OriginDenied), Ok(false))
        );
        assert_eq!(
            (at(&open, &query, &evil), at(&open, "", &evil)),
            (Err(ErrorKind::OriginDenied), Err(ErrorKind::OriginDenied))
        );
        assert_eq!(
            (at(&open, &query, &[("origin", "https://app.example")]), at(&open, &query, &[])),
            (Ok(true), Ok(true))
        );
        // A page has to know the ticket to send it otherwise.
        assert_eq!(asked(&closed, "GET", &query, &evil), Ok(true));
    }

    #[test]
    fn a_token_comes_as_bearer_only() {
        let token = "eyJhbGciOiJFUzI1NiJ9.e30.AA";
        let provider = settings(|settings| {
            settings.jwks_url = "https://issuer.example/jwks".into();
            settings.jwt_issuer = "https://issuer.example/".into();
        });
        for settings in [&provider, &settings(|_| {})] {
            assert_eq!(
                asked(settings, "GET", &format!("ticket={token}"), &[]),
                Err(ErrorKind::CredentialInvalid)
            );
            assert_eq!(
                asked(settings, "GET", "", &[("cookie", &format!("tidewire-ticket={token}"))]),
                Err(ErrorKind::CredentialInvalid)
            );
        }
        assert_eq!(
            asked(&settings(|_| {}), "GET", "", &[("authorization", &format!("Bearer {token}"))]),
            Err(ErrorKind::CredentialInvalid)
        );
    }

    #[test]
    fn where_all_is_open_and_nothing_can_be_verified_nothing_is() {
        let open = settings(|settings| {
            (settings.open_access, settings.ticket_keys) = (true, Secret::default())
        });
        assert_eq!(asked(&open, "GET", "", &[("authorization", "Bearer guess")]), Ok(false));
        let open = settings(|settings| settings.open_access = true);
        assert_eq!(
            asked(&open, "GET", "", &[("authorization", "Bearer guess")]),
            Err(ErrorKind::CredentialInvalid)
        );
    }

    #[test]
    fn settings_that_would_open_it_are_refused() {
        for (url, issuer, name) in [
            ("https://issuer.example/jwks", "", "JWT_ISSUER"),
            ("http://issuer.example/jwks", "x", "JWKS_URL"),
            ("http://localhost.evil.example/jwks", "x", "JWKS_URL"),
            ("issuer.example", "x", "JWKS_URL"),
        ] {
            let settings = settings(|settings| {
                (settings.jwks_url, settings.jwt_issuer) = (url.into(), issuer.into())
            });
            let error = Access::new("chat", &settings).err().unwrap();
            assert!(error.detail().contains(name), "{url}: {error}");
        }
    }
}
