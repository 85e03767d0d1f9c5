//! What `shared/client/README.md` says of tickets, with the code that stands there.

use serde_json::json;
use tidewire_access::{Access, Step};
use tidewire_core::{Identity, RequestHead, Right, Secret, Settings, Ticket};

// As it stands in the README.
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

fn ticket(keys: &str, claims: &serde_json::Value) -> Result<String, Box<dyn std::error::Error>> {
    let (kid, key) = keys
        .split(',')
        .next()
        .and_then(|first| first.split_once(':'))
        .ok_or("TICKET_KEYS has no key")?;
    let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::HS256) };
    let key = EncodingKey::from_secret(&BASE64_URL_SAFE_NO_PAD.decode(key)?);
    Ok(encode(&header, claims, &key)?)
}

const NOW_MS: u64 = 1_800_000_000_000;

#[test]
fn the_readme_has_the_lines_that_are_tested_here() {
    let (_, rest) =
        include_str!("readme.rs").split_once("// As it stands in the README.\n").unwrap();
    let (code, _) = rest.split_once("\n\nconst NOW_MS").unwrap();
    assert!(
        include_str!("../../client/README.md").contains(&format!("```rust\n{code}\n```")),
        "shared/client/README.md has other lines than\n{code}"
    );
}

#[test]
fn a_ticket_that_a_backend_in_rust_minted_is_taken() {
    let keys = "k2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,k1:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
    let text = ticket(keys, &json!({"aud": "chat", "ch": "room-1", "rights": ["read", "publish"], "sub": "ann", "exp": NOW_MS / 1_000 + 300})).unwrap();
    let settings = Settings { ticket_keys: Secret::new(keys), ..Settings::default() };
    let headers = |name: &str| (name == "authorization").then(|| format!("Bearer {text}"));
    let head = RequestHead {
        method: "GET",
        url: "https://live.example/room-1",
        path: "/room-1",
        query: "",
        headers: &headers,
    };
    let step = Access::new("chat", &settings).unwrap().identify(&head, NOW_MS).unwrap();
    let rights = Right::Read | Right::Publish;
    let expected = Ticket {
        id: None,
        subject: Some("ann".into()),
        channels: "room-1".into(),
        rights,
        expires_ms: NOW_MS + 300_000,
    };
    assert!(matches!(step, Step::Known(Identity::Ticket(ticket)) if ticket == expected));
}
