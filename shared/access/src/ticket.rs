//! Our own short-lived tickets: JWTs under HS256 that name the rights they grant.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;
use tidewire_core::{Error, ErrorKind, Result, Right, Rights, Ticket};

use crate::credential::invalid;
use crate::jwt::{Algorithm, Header, Signed};
use crate::{jwt, signature};

/// How long a ticket lasts at most, in seconds; a longer one is refused. A ticket is not checked
/// with its issuer again, so it must be short-lived.
const MAX_TICKET_S: u64 = 3_600;

/// Shortest key, in bytes: RFC 7518 demands at least this, and HS256 gains nothing from a longer
/// key.
const MIN_KEY_BYTES: usize = 32;

/// The names of rights in a ticket.
const RIGHTS: [(&str, Right); 4] = [
    ("read", Right::Read),
    ("publish", Right::Publish),
    ("presence", Right::Presence),
    ("manage", Right::Manage),
];

/// The keys of tickets by their names: the first key signs, all keys verify, so that a key can be
/// replaced while its tickets are still in use.
#[derive(Default)]
pub struct TicketKeys(Vec<TicketKey>);

struct TicketKey {
    id: String,
    secret: Vec<u8>,
}

/// The claims of the tickets that we make. Tickets of other issuers may have claims of other types.
#[derive(Serialize)]
struct Claims {
    exp: u64,
    ch: String,
    rights: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    aud: String,
}

/// The header of the tickets that we make.
#[derive(Serialize)]
struct Head<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
}

impl TicketKeys {
    /// Reads the setting `TICKET_KEYS`: `kid:base64url`, several separated by commas. The empty
    /// text is no key, and then no ticket is valid.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`], naming the position of the wrong key, never the key.
    pub fn parse(text: &str) -> Result<TicketKeys> {
        let mut keys: Vec<TicketKey> = Vec::new();
        for (index, part) in
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).enumerate()
        {
            let wrong = |why: &str| {
                Error::new(
                    ErrorKind::Internal,
                    format!("key {} of TICKET_KEYS {why}; `tidewire keys` makes one", index + 1),
                )
            };
            let (id, secret) =
                part.split_once(':').ok_or_else(|| wrong("is not of the form kid:base64url"))?;
            if !(1..=64).contains(&id.len())
                || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            {
                return Err(wrong(
                    "has an invalid kid: it must be 1 to 64 letters, digits and - _ .",
                ));
            }
            let secret = URL_SAFE_NO_PAD
                .decode(secret.trim_end_matches('='))
                .map_err(|_| wrong("is not base64url"))?;
            if secret.len() < MIN_KEY_BYTES {
                return Err(wrong(&format!("must have at least {MIN_KEY_BYTES} bytes")));
            }
            if keys.iter().any(|key| key.id == id) {
                return Err(wrong("repeats the kid of an earlier key"));
            }
            keys.push(TicketKey { id: id.into(), secret });
        }
        Ok(TicketKeys(keys))
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes a ticket for a function, signed with the first key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] without a key.
    pub fn mint(&self, ticket: &Ticket, function: &str) -> Result<String> {
        let key = self
            .0
            .first()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "TICKET_KEYS has no key"))?;
        let rights = RIGHTS
            .iter()
            .filter(|(_, right)| ticket.rights.allow(*right))
            .map(|(name, _)| (*name).into())
            .collect();
        let claims = Claims {
            exp: ticket.expires_ms / 1_000,
            ch: ticket.channels.clone(),
            rights,
            sub: ticket.subject.clone(),
            jti: ticket.id.clone(),
            aud: function.into(),
        };
        let head = Head { typ: "JWT", alg: Algorithm::Hs256.name(), kid: &key.id };
        let fault = |cause: &str| {
            Error::new(ErrorKind::Internal, format!("the ticket cannot be signed: {cause}"))
        };
        let part = |json: serde_json::Result<Vec<u8>>| {
            json.map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|cause| fault(&cause.to_string()))
        };
        let message =
            [part(serde_json::to_vec(&head))?, part(serde_json::to_vec(&claims))?].join(".");
        let signature = signature::sign(&key.secret, message.as_bytes())
            .ok_or_else(|| fault("its key cannot be used"))?;
        Ok([message, URL_SAFE_NO_PAD.encode(signature)].join("."))
    }

    /// Verifies a ticket for this function.
    pub(crate) fn verify(
        &self,
        text: &str,
        header: &Header,
        function: &str,
        now_ms: u64,
    ) -> Result<Ticket> {
        let key =
            self.0.iter().find(|key| header.key.as_ref() == Some(&key.id)).ok_or_else(|| {
                invalid("the `kid` of the ticket is unknown: no key of TICKET_KEYS has it")
            })?;
        let signed = Signed::parse(text)?;
        if !signature::is_signed(&key.secret, signed.message, &signed.signature) {
            return Err(jwt::wrong_signature());
        }
        let claims = signed.claims()?;
        // Or a ticket for one function would open the channel of this name in another.
        jwt::check_name(&claims, "aud", "audience", function)?;
        let expires_ms = jwt::expires_ms(&claims, now_ms)?;
        // A revocation holds for an hour: a ticket that lives longer would open the channel again. The
        // clock of the backend may be ahead of ours.
        if expires_ms > now_ms.saturating_add(MAX_TICKET_S * 1_000 + jwt::LEEWAY_MS) {
            return Err(invalid(format!(
                "`exp` of the ticket is too far ahead: a ticket must expire within {MAX_TICKET_S} s"
            )));
        }
        let named = claims
            .get("rights")
            .and_then(Value::as_array)
            .ok_or_else(|| invalid("`rights` of the ticket must be a list"))?;
        let rights = named.iter().try_fold(Rights::NONE, |rights, name| {
            let known = RIGHTS.iter().find(|(known, _)| name.as_str() == Some(known));
            let (_, right) = known.ok_or_else(|| invalid("`rights` of the ticket names an unknown right: use read, publish, presence and manage"))?;
            Ok(rights | *right)
        })?;
        let channels = jwt::text(&claims, "ch")?
            .ok_or_else(|| invalid("the ticket has no `ch`: send the channel that it is for"))?;
        Ok(Ticket {
            id: jwt::text(&claims, "jti")?,
            subject: jwt::text(&claims, "sub")?,
            channels,
            rights,
            expires_ms,
        })
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;
    const NOW_S: u64 = NOW_MS / 1_000;

    fn secret(byte: u8) -> String {
        URL_SAFE_NO_PAD.encode([byte; MIN_KEY_BYTES])
    }

    fn keys() -> TicketKeys {
        TicketKeys::parse(&format!("k2:{},k1:{}", secret(2), secret(1))).unwrap()
    }

    /// A ticket as a backend would make it, with these claims in place of its own; `null` takes one
    /// away.
    fn signed(header: &Value, changes: &Value, byte: u8) -> String {
        let mut claims =
            json!({"aud": "chat", "exp": NOW_S + 60, "ch": "room", "rights": ["read"]});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let message =
            [header, &claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let tag = signature::sign(&[byte; MIN_KEY_BYTES], message.as_bytes()).unwrap();
        let tag = URL_SAFE_NO_PAD.encode(tag);
        format!("{message}.{tag}")
    }

    fn verified(text: &str) -> Result<Ticket> {
        keys().verify(text, &jwt::header(text)?, "chat", NOW_MS)
    }

    fn of(changes: &Value) -> Result<Ticket, ErrorKind> {
        verified(&signed(&json!({"alg": "HS256", "kid": "k1"}), changes, 1))
            .map_err(|error| error.kind())
    }

    #[test]
    fn a_ticket_says_what_it_grants() {
        let rights = Right::Read | Right::Manage;
        let ticket = Ticket {
            id: Some("t1".into()),
            subject: Some("ann".into()),
            channels: "team:*".into(),
            rights,
            expires_ms: NOW_MS + 3_600_000,
        };
        assert_eq!(verified(&keys().mint(&ticket, "chat").unwrap()).unwrap(), ticket);
        assert_eq!(of(&json!({"rights": []})).unwrap().rights, Rights::NONE);
        assert!(
            of(&json!({"aud": ["feed", "chat"], "iat": 1, "nbf": NOW_S + 29, "more": {}})).is_ok()
        );
    }

    #[test]
    fn every_key_verifies_and_each_its_own_tickets_only() {
        assert!(verified(&signed(&json!({"alg": "HS256", "kid": "k2"}), &json!({}), 2)).is_ok());
        for (header, byte) in [
            (json!({"alg": "HS256", "kid": "k1"}), 2),
            (json!({"alg": "HS256", "kid": "k3"}), 1),
            (json!({"alg": "HS256"}), 1),
            (json!({"alg": "HS384", "kid": "k1"}), 1),
            (json!({"alg": "none", "kid": "k1"}), 1),
            (json!({"alg": "HS256", "kid": "k1", "typ": "logout+jwt"}), 1),
            (json!({"alg": "HS256", "kid": "k1", "crit": ["b64"], "b64": false}), 1),
        ] {
            let refused = verified(&signed(&header, &json!({}), byte)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::CredentialInvalid, "{header}");
        }
    }

    #[test]
    fn claims_that_are_missing_or_wrong_are_refused() {
        for changes in [
            json!({"aud": "feed"}),
            json!({"aud": null}),
            json!({"exp": null}),
            json!({"exp": "soon"}),
            json!({"exp": -1}),
            json!({"exp": NOW_S + MAX_TICKET_S + 31}),
            json!({"exp": u64::MAX}),
            json!({"nbf": NOW_S + 31}),
            json!({"nbf": "x"}),
            json!({"ch": null}),
            json!({"ch": 1}),
            json!({"rights": null}),
            json!({"rights": "read"}),
            json!({"rights": ["read", "everything"]}),
            json!({"sub": 7}),
        ] {
            assert_eq!(of(&changes), Err(ErrorKind::CredentialInvalid), "{changes}");
        }
    }

    #[test]
    fn times_may_have_a_fraction() {
        let soon = NOW_S as f64 + 300.5;
        assert_eq!(
            of(&json!({"exp": soon, "nbf": NOW_S as f64 - 0.25, "iat": NOW_S as f64 - 0.5}))
                .unwrap()
                .expires_ms,
            NOW_MS + 300_500
        );
        assert_eq!(of(&json!({"exp": (NOW_S + 300) as f64})).unwrap().expires_ms, NOW_MS + 300_000);
        assert_eq!(of(&json!({"exp": NOW_S as f64 - 0.5})), Err(ErrorKind::CredentialExpired));
        assert_eq!(of(&json!({"exp": NOW_S as f64 + 0.5})).unwrap().expires_ms, NOW_MS + 500);
        assert_eq!(of(&json!({"nbf": NOW_S as f64 + 30.5})), Err(ErrorKind::CredentialInvalid));
    }

    #[test]
    fn a_refusal_names_the_claim_and_the_reason() {
        for (changes, claim, reason) in [
            (json!({"exp": null}), "`exp`", "no `exp`"),
            (json!({"exp": "soon"}), "`exp`", "not a number"),
            (json!({"exp": -1.5}), "`exp`", "before 1970"),
            (json!({"exp": NOW_S - 1}), "`exp`", "has expired"),
            (json!({"exp": NOW_S + MAX_TICKET_S + 31}), "`exp`", "too far ahead"),
            (json!({"exp": 1e300}), "`exp`", "too far ahead"),
            (json!({"nbf": []}), "`nbf`", "not a number"),
            (json!({"nbf": NOW_S + 31}), "`nbf`", "in the future"),
            (json!({"ch": null}), "`ch`", "no `ch`"),
            (json!({"ch": 1}), "`ch`", "must be a string"),
            (json!({"rights": "read"}), "`rights`", "must be a list"),
            (json!({"rights": [1]}), "`rights`", "unknown right"),
            (json!({"jti": 7}), "`jti`", "must be a string"),
        ] {
            let error =
                verified(&signed(&json!({"alg": "HS256", "kid": "k1"}), &changes, 1)).unwrap_err();
            assert!(
                error.detail().contains(claim) && error.detail().contains(reason),
                "{changes}: {error}"
            );
        }
    }

    #[test]
    fn a_ticket_ends_at_its_end() {
        assert!(of(&json!({"exp": NOW_S + 1})).is_ok());
        assert_eq!(of(&json!({"exp": NOW_S})), Err(ErrorKind::CredentialExpired));
    }

    #[test]
    fn a_ticket_that_was_changed_is_refused() {
        let ticket = signed(&json!({"alg": "HS256", "kid": "k1"}), &json!({}), 1);
        let [header, _, tag] = ticket.split('.').collect::<Vec<_>>()[..] else {
            panic!("{ticket}")
        };
        let all = URL_SAFE_NO_PAD.encode(
            json!({"aud": "chat", "exp": NOW_S + 60, "ch": "*", "rights": ["manage"]}).to_string(),
        );
        for changed in [
            format!("{header}.{all}.{tag}"),
            format!("{header}.{all}."),
            format!("{ticket}."),
            format!("{ticket}A"),
            ticket.replace(tag, ""),
        ] {
            assert_eq!(
                verified(&changed).unwrap_err().kind(),
                ErrorKind::CredentialInvalid,
                "{changed}"
            );
        }
    }

    #[test]
    fn keys_that_are_wrong_are_named_and_not_shown() {
        let (good, short) = (secret(1), URL_SAFE_NO_PAD.encode([7; 31]));
        for (text, why) in [
            (good.clone(), "key 1 of TICKET_KEYS is not of the form"),
            (format!("k1:{short}"), "key 1 of TICKET_KEYS must have at least 32 bytes"),
            (format!("k1:{good},k 2:{good}"), "key 2 of TICKET_KEYS has an invalid kid"),
            (format!("k1:{good},:{good}"), "key 2 of TICKET_KEYS has an invalid kid"),
            (
                format!("k1:{good},k1:{good}"),
                "key 2 of TICKET_KEYS repeats the kid of an earlier key",
            ),
            (format!("k1:{good}+/"), "key 1 of TICKET_KEYS is not base64url"),
        ] {
            let error = TicketKeys::parse(&text).unwrap_err();
            assert!(error.detail().starts_with(why), "{error}");
            assert!(!error.detail().contains(&good) && !error.detail().contains(&short), "{error}");
        }
        assert!(TicketKeys::parse(" ").unwrap().is_empty());
        assert_eq!(format!("{:?}", keys()), r#"{"k2", "k1"}"#);
    }
}
