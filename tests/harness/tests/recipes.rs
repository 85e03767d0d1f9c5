//! The recipes of `functions/README.md` that are written in Rust. The others are run by
//! `tests/conformance/recipes.test.ts`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

const PAGE: &str = include_str!("../../../functions/README.md");

// As it stands on the page.
/// Appends an event and returns the offset after it.
fn publish(channel: &str, event: &str, ticket: &str) -> Result<String, ureq::Error> {
    let request = ureq::post(channel).header("authorization", format!("Bearer {ticket}"));
    let answer = request.content_type("application/json").send(event)?;
    let offset = answer.headers().get("stream-next-offset").and_then(|offset| offset.to_str().ok());
    Ok(offset.unwrap_or_default().to_owned())
}

#[test]
fn the_page_has_the_publish_that_is_tested_here() {
    let (_, rest) =
        include_str!("recipes.rs").split_once("// As it stands on the page.\n").unwrap();
    let (code, _) = rest.split_once("\n\n").unwrap();
    assert!(
        PAGE.contains(&format!("```rust\n{code}\n```")),
        "functions/README.md has another publish than\n{code}"
    );
}

#[test]
fn publish_sends_an_event_and_tells_its_offset() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let channel = format!("http://{}/feed/orders", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).unwrap();
        }
        let mut body = [0; 2];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\nStream-Next-Offset: 7\r\n\r\n").unwrap();
        (head.to_lowercase(), body)
    });
    assert_eq!(publish(&channel, "42", "secret").unwrap(), "7");
    let (head, body) = server.join().unwrap();
    assert!(head.starts_with("post /feed/orders http/1.1\r\n"), "{head}");
    for line in [
        "authorization: bearer secret\r\n",
        "content-type: application/json\r\n",
        "content-length: 2\r\n",
    ] {
        assert!(head.contains(line), "{head}");
    }
    assert_eq!(&body, b"42");
}

/// The suites on Redis run components and manifests that are changed as the page says.
#[test]
fn a_function_moves_to_redis_as_the_suites_do() {
    let feature = "tidewire-spin = { path = \"../../shared/spin\", features = [\"redis\"] }";
    assert!(PAGE.contains(feature));
    let plain = feature.replace(", features = [\"redis\"]", "");
    assert!(include_str!("../../../functions/feed/Cargo.toml").contains(&plain));
    let manifest = include_str!("../../../functions/feed/spin.toml");
    let changed = tidewire_harness::redis::on_redis(manifest, std::path::Path::new("/"));
    let grants = changed.lines().find(|line| line.starts_with("allowed_outbound_hosts")).unwrap();
    assert!(PAGE.contains(grants), "{grants}");
    assert!(!changed.contains("sqlite_databases"));
}

/// The gateway is a Rust Worker that our classes have joined.
#[test]
fn a_worker_is_joined_as_the_gateway_is() {
    let gateway = include_str!("../../../functions/gateway/src/workers.rs");
    for line in ["use tidewire_feed::workers as feed;", "=> feed::fetch(request, &env, "] {
        assert!(PAGE.contains(line) && gateway.contains(line), "{line}");
    }
    let manifest = include_str!("../../../functions/gateway/Cargo.toml");
    let line = PAGE.lines().find(|line| line.starts_with("tidewire-feed = ")).unwrap();
    assert!(manifest.contains(&line.replace("../tidewire/functions/feed", "../feed")), "{line}");
}
