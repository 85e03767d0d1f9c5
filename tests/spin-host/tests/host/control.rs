use http::{Method, StatusCode};

use crate::support::{Host, manifest, send};

#[tokio::test]
async fn a_recycled_instance_keeps_its_streams_and_takes_no_more() {
    let host = Host::start(&manifest("", ""));
    let mut stream = host.open("/guest/ticks").await;
    let instance = stream.instance().await;
    assert_eq!(host.disturb("/recycle").await, r#"{"recycled":1}"#);
    assert_ne!(host.get("/guest/instance").await.1, instance);
    assert_eq!(stream.instance().await, instance);
    drop(stream);
    host.until(|counters| counters["instances_active"] == 0).await;
    assert_eq!(host.counters().await["traps"], 0);
}

#[tokio::test]
async fn an_idle_instance_can_be_recycled_too() {
    let host = Host::start(&manifest("", ""));
    let instance = host.get("/guest/instance").await.1;
    host.disturb("/recycle").await;
    assert_ne!(host.get("/guest/instance").await.1, instance);
}

#[tokio::test]
async fn a_trap_can_be_asked_for() {
    let host = Host::start(&manifest("", ""));
    assert_eq!(host.disturb("/trap").await, r#"{"trapped":0}"#);
    let mut stream = host.open("/guest/ticks").await;
    let instance = stream.instance().await;
    assert_eq!(host.disturb("/trap?component=other").await, r#"{"trapped":0}"#);
    assert_eq!(host.disturb("/trap?component=guest").await, r#"{"trapped":1}"#);
    stream.ended().await;
    host.until(|counters| counters["traps"] == 1 && counters["instances_active"] == 0).await;
    assert_ne!(host.get("/guest/instance").await.1, instance);
}

#[tokio::test]
async fn the_memory_of_instances_is_counted() {
    let host = Host::start(&manifest("", ""));
    assert_eq!(host.counters().await["memory_bytes"], 0);
    host.get("/guest/instance").await;
    let bytes = host.counters().await["memory_bytes"].as_u64().expect("a number");
    assert!(bytes > 0 && bytes.is_multiple_of(65_536), "{bytes}");
}

#[tokio::test]
async fn the_wall_clock_of_guests_can_be_moved_both_ways() {
    let host = Host::start(&manifest("", ""));
    let now = || async { host.get("/guest/clock").await.1.parse::<i64>().expect("milliseconds") };
    let start = now().await;
    host.disturb("/clock?shift_ms=86400000").await;
    assert!(now().await >= start + 86_400_000);
    host.disturb("/clock?shift_ms=-86400000").await;
    assert!(now().await < start);
    host.disturb("/clock?shift_ms=0").await;
    assert!((start..start + 86_400_000).contains(&now().await));
}

#[tokio::test]
async fn requests_it_does_not_know_are_refused() {
    let host = Host::start(&manifest("", ""));
    assert_eq!(send(host.control, Method::GET, "/trap", "").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        send(host.control, Method::POST, "/clock", "").await.status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn sigterm_ends_the_host_at_once_and_cuts_its_streams() {
    let mut host = Host::start(&manifest("", ""));
    let mut stream = host.open("/guest/ticks").await;
    stream.instance().await;
    host.terminate();
    stream.cut().await;
    assert!(tokio::net::TcpStream::connect(host.address).await.is_err());
}
