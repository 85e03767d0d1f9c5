//! `openapi.json` says what the core says. `UPDATE_EXPECT=1 cargo test -p tidewire-core` writes it
//! again.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod document;

use std::collections::BTreeSet;
use std::path::absolute;

use document::document;
use expect_test::expect_file;
use serde_json::Value;
use tidewire_core::{
    ChannelName, ContentType, Creation, ErrorKind, Function, Identity, Policy, RequestHead, Rights,
    Settings, Target, route,
};

#[test]
fn the_file_is_current() {
    expect_file![absolute("openapi.json").unwrap()].assert_eq(&format!("{:#}\n", document()));
}

#[test]
fn every_code_stands_under_its_status() {
    let document = document();
    let operations: Vec<&Value> = operations(&document).collect();
    let codes = document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
        .as_array()
        .unwrap();
    for kind in ErrorKind::ALL {
        let code = format!("urn:tidewire:{}", kind.code());
        assert!(codes.contains(&code.clone().into()), "{code}");
        let status = kind.status().as_u16().to_string();
        let stands = operations.iter().any(|operation| {
            operation["responses"][&status]["description"]
                .as_str()
                .is_some_and(|text| text.contains(kind.code()))
        });
        // The one error that only a WebSocket has.
        assert_eq!(stands, *kind != ErrorKind::FrameInvalid, "{code} under {status}");
    }
}

#[test]
fn every_status_of_a_problem_is_that_of_a_kind() {
    let known: BTreeSet<String> =
        ErrorKind::ALL.iter().map(|kind| kind.status().as_u16().to_string()).collect();
    for operation in operations(&document()) {
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            assert!(
                response["content"].get("application/problem+json").is_none()
                    || known.contains(status),
                "{status}"
            );
        }
    }
}

fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .filter(|operation| operation.is_object())
}

/// What a browser of another origin may send and read is what the file has.
#[test]
fn every_header_of_the_preflight_is_described() {
    struct Notes;

    impl Function for Notes {
        const NAME: &'static str = "notes";

        fn policy(settings: &Settings) -> Policy {
            Policy::new(Creation::OnPublish(ContentType::json()), settings)
        }

        fn authorize(_: &Identity, _: &ChannelName, _: &Settings) -> Rights {
            Rights::ALL
        }
    }

    let head =
        RequestHead { method: "OPTIONS", url: "", path: "/a", query: "", headers: &|_| None };
    let Target::Reply(preflight) = route::<Notes>(&head, &Settings::default()).unwrap() else {
        unreachable!("a preflight is answered")
    };
    let list = |name: &str| preflight.headers()[name].to_str().unwrap().to_lowercase();

    let document = document();
    let described = |group: &str| -> BTreeSet<String> {
        document["components"][group]
            .as_object()
            .unwrap()
            .keys()
            .map(|name| name.to_lowercase())
            .collect()
    };
    for name in list("access-control-allow-headers").split(", ") {
        // OpenAPI has other words for the first two. The others are nobody's business here: a
        // page's tracing sends them with each request.
        let others = [
            "authorization",
            "content-type",
            "baggage",
            "sentry-trace",
            "traceparent",
            "tracestate",
            "x-requested-with",
        ];
        assert!(others.contains(&name) || described("parameters").contains(name), "{name}");
    }
    for name in list("access-control-expose-headers").split(", ") {
        assert!(described("headers").contains(name), "{name}");
    }
    for method in list("access-control-allow-methods").split(", ") {
        assert!(document["paths"]["/{channel}"][method].is_object(), "{method}");
    }
}
