use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::{Host, manifest, request, whole};

#[tokio::test]
async fn a_component_sees_what_spin_tells_about_a_request() {
    let host = Host::start(&manifest(
        "",
        "[[trigger.http]]\nroute = \"/users/:id/...\"\ncomponent = \"guest\"",
    ));
    let forged = Request::get("/users/7/headers?q=1")
        .header("spin-path-info", "/forged")
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    let (status, headers) = whole(request(host.address, forged, "").await).await;
    assert_eq!(status, StatusCode::OK);
    let address = host.address;
    for line in [
        "spin-path-info: /headers",
        &format!("spin-full-url: http://{address}/users/7/headers?q=1"),
        "spin-matched-route: /users/:id/...",
        "spin-component-route: /users/:id",
        "spin-raw-component-route: /users/:id/...",
        "spin-base-path: /",
        "spin-path-match-id: 7",
        &format!("host: {address}"),
        "upgrade: websocket",
    ] {
        assert!(headers.lines().any(|found| found == line), "{line} is not in\n{headers}");
    }
    assert!(headers.contains("spin-client-addr: 127.0.0.1:"));
    assert!(!headers.contains("connection:"));
    let path_infos: Vec<&str> =
        headers.lines().filter(|line| line.starts_with("spin-path-info")).collect();
    assert_eq!(
        path_infos,
        ["spin-path-info: /forged", "spin-path-info: /headers"],
        "the client's own stands in front, as in Spin"
    );
}

#[tokio::test]
async fn a_header_that_is_not_utf_8_reaches_no_component() {
    let host = Host::start(&manifest("", ""));
    let bytes = HeaderValue::from_bytes(b"\xff\xfe").expect("a value");
    let answer =
        request(host.address, Request::get("/guest/headers").header("last-event-id", bytes), "")
            .await;
    assert_eq!(whole(answer).await, (StatusCode::INTERNAL_SERVER_ERROR, String::new()));
    assert!(
        whole(
            request(host.address, Request::get("/guest/headers").header("last-event-id", "ÿ"), "")
                .await
        )
        .await
        .1
        .contains("last-event-id")
    );
}

#[tokio::test]
async fn what_has_no_route_is_not_found() {
    let host = Host::start(&manifest(
        "",
        "[[trigger.http]]\nroute = { private = true }\ncomponent = \"guest\"",
    ));
    assert_eq!(host.get("/").await, (StatusCode::NOT_FOUND, String::new()));
    assert_eq!(host.get("/guest2").await.0, StatusCode::NOT_FOUND);
    assert_eq!(host.get("/.well-known/spin/health").await, (StatusCode::OK, "OK".to_owned()));
    assert_eq!(host.get("/.well-known/spin/other").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_switch_of_protocols_becomes_an_error() {
    let host = Host::start(&manifest("", ""));
    assert_eq!(host.get("/guest/switch").await, (StatusCode::INTERNAL_SERVER_ERROR, String::new()));
}

#[tokio::test]
async fn http_2_is_served_without_tls() {
    let host = Host::start(&manifest("", ""));
    let stream = TcpStream::connect(host.address).await.expect("a connection");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    let request = Request::get(format!("http://{}/guest/instance", host.address))
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let (status, instance) = whole(sender.send_request(request).await.expect("a response")).await;
    assert_eq!((status, instance.len()), (StatusCode::OK, 16));
}
