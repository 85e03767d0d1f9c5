//! The vectors that the npm packages `web-push` and `http_ece` made, and the token by
//! `jsonwebtoken`. `tests/conformance/push-vectors.test.ts` holds those packages to the same file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value};
use tidewire_push::{
    Message, PushServices, RANDOM_BYTES, Request, Subscription, Topic, Urgency, Vapid,
};

fn cases() -> Vec<Value> {
    let mut file: Value = serde_json::from_str(include_str!("../vectors/web-push.json")).unwrap();
    let Value::Array(cases) = file["cases"].take() else { panic!("no cases") };
    assert!(!cases.is_empty());
    cases
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

fn bytes(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The request of a vector, and its token.
fn request(given: &Value) -> (Request, String) {
    let vapid = &given["vapid"];
    let keys = format!("k1:{}", text(vapid, "privateKey"));
    let vapid = Vapid::parse(&keys, text(vapid, "subject")).unwrap();
    let subscription = given["subscription"].to_string();
    let to = Subscription::from_json(subscription.as_bytes(), &PushServices::default()).unwrap();
    let token =
        vapid.first().unwrap().token(to.origin(), given["nowMs"].as_u64().unwrap()).unwrap();
    let message = Message {
        text: text(given, "text"),
        ttl_s: given["ttl"].as_u64().unwrap(),
        urgency: [Urgency::VeryLow, Urgency::Low, Urgency::Normal, Urgency::High]
            .into_iter()
            .find(|urgency| urgency.as_str() == given["urgency"])
            .unwrap(),
        topic: given.get("channel").map(|_| Topic::of(text(given, "channel"), text(given, "id"))),
    };
    let random: [u8; RANDOM_BYTES] =
        [bytes(text(given, "salt")), bytes(text(given, "ephemeral"))].concat().try_into().unwrap();
    (message.request(&to, &token, &random).unwrap(), token.as_str().to_owned())
}

#[test]
fn a_request_is_that_of_web_push() {
    for case in cases() {
        let (id, expected) = (text(&case, "id"), &case["expected"]);
        let (request, token) = request(&case["given"]);
        let (signed, key) =
            token.strip_prefix("vapid t=").and_then(|rest| rest.split_once(", ")).unwrap();
        let (claims, signature) = signed.rsplit_once('.').unwrap();
        let headers: Map<String, Value> = request
            .headers
            .iter()
            .map(|(name, value)| {
                let value = if *name == "authorization" { key } else { value };
                ((*name).to_owned(), value.into())
            })
            .collect();
        assert_eq!(request.url, expected["url"], "{id}");
        assert_eq!(Value::from(headers), expected["headers"], "{id}");
        assert_eq!(claims, expected["claims"], "{id}");
        let body = BASE64_URL_SAFE_NO_PAD.encode(&request.body);
        assert_eq!(body, expected["body"], "{id}");
        // By RFC 6979, so always the same.
        assert_eq!(signature, expected["signature"], "{id}");
    }
}

#[test]
fn a_token_is_right_by_another_library() {
    for case in cases() {
        let (_, token) = request(&case["given"]);
        let (token, key) =
            token.strip_prefix("vapid t=").and_then(|rest| rest.split_once(", k=")).unwrap();
        let point = bytes(key);
        let (x, y) = point[1..].split_at(32);
        let half = |half| BASE64_URL_SAFE_NO_PAD.encode(half);
        let key = DecodingKey::from_ec_components(&half(x), &half(y)).unwrap();
        let endpoint = text(&case["given"]["subscription"], "endpoint");
        let origin = endpoint.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let mut expected = Validation::new(Algorithm::ES256);
        expected.set_audience(&[&origin]);
        expected.set_required_spec_claims(&["aud", "exp", "sub"]);
        let token = decode::<Map<String, Value>>(token, &key, &expected).unwrap();
        let now_s = case["given"]["nowMs"].as_u64().unwrap() / 1_000;
        assert_eq!(token.claims["exp"], now_s + 12 * 3_600);
        assert_eq!(token.claims["sub"], case["given"]["vapid"]["subject"]);
    }
}
