use http::StatusCode;

use crate::support::{Host, manifest, soon};

#[tokio::test]
async fn a_body_arrives_in_pieces_while_the_instance_serves_others() {
    let host = Host::start(&manifest("", ""));
    let mut stream = host.open("/guest/pieces").await;
    assert_eq!(stream.next().await.as_deref(), Some("first\n"));
    assert_eq!(host.get("/guest/release").await.0, StatusCode::OK);
    assert_eq!(stream.next().await.as_deref(), Some("second\n"));
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_request_body_reaches_the_guest() {
    let host = Host::start(&manifest("", ""));
    let body = "tide".repeat(100_000);
    assert_eq!(host.post("/guest/echo", &body).await, (StatusCode::OK, body));
}

#[tokio::test]
async fn a_departure_shows_on_the_next_write() {
    let host = Host::start(&manifest("", ""));
    let mut stream = host.open("/guest/ticks").await;
    let instance = stream.instance().await;
    drop(stream);
    soon(async { while host.get("/guest/left").await.1 == "0" {} }).await;
    assert_eq!(host.get("/guest/instance").await.1, instance);
    // The request that reads the counters is for the control port and does not count.
    host.until(|counters| counters["open_requests"] == 0).await;
}

#[tokio::test]
async fn what_a_guest_prints_carries_its_name() {
    let mut host = Host::start(&manifest("", ""));
    host.get("/guest/print").await;
    assert_eq!(soon(host.stdout.recv()).await.as_deref(), Some("[guest] out in pieces"));
}
