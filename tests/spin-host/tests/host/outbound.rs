use http::StatusCode;

use crate::support::{Host, manifest};

#[tokio::test]
async fn a_request_without_a_grant_is_denied() {
    let host = Host::start(&manifest(
        "allowed_outbound_hosts = [\"https://127.0.0.1:*\", \"http://localhost:*\"]",
        "",
    ));
    let (status, error) = host.get(&format!("/guest/fetch?http://{}/counters", host.control)).await;
    assert_eq!((status, error.as_str()), (StatusCode::BAD_REQUEST, "ErrorCode::HttpRequestDenied"));
}

#[tokio::test]
async fn a_granted_request_is_sent() {
    let variables = "[variables]\nhost = { default = \"127.0.0.1\" }";
    let host =
        Host::start(&manifest("allowed_outbound_hosts = [\"http://{{ host }}:*\"]", variables));
    assert_eq!(
        host.get(&format!("/guest/fetch?http://{}/counters", host.control)).await,
        (StatusCode::OK, "200 OK".to_owned())
    );
}
