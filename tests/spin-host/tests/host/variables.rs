use http::StatusCode;

use crate::support::{Host, manifest};

const MORE: &str = r#"
    variables = { token = "<{{ token }}>", greeting = "{{ greeting }}, {{ name }}" }
    environment = { PLACE = "here" }
"#;
const REST: &str = r#"
    [variables]
    token = { required = true, secret = true }
    greeting = { default = "hello" }
    name = { default = "you" }
"#;

#[tokio::test]
async fn the_command_line_beats_the_environment_beats_the_default() {
    let environment =
        [("SPIN_VARIABLE_NAME", "environment"), ("SPIN_VARIABLE_TOKEN", "environment")];
    let host = Host::start_with(&manifest(MORE, REST), &["--variable", "token=k=v"], &environment);
    assert_eq!(host.get("/guest/variable?token").await, (StatusCode::OK, "<k=v>".to_owned()));
    assert_eq!(
        host.get("/guest/variable?greeting").await,
        (StatusCode::OK, "hello, environment".to_owned())
    );
}

#[tokio::test]
async fn what_has_no_value_is_an_error_of_the_guest() {
    let host = Host::start(&manifest(MORE, REST));
    let (status, error) = host.get("/guest/variable?token").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error.starts_with("Error::Provider(") && error.contains("token"), "{error}");
    assert!(host.get("/guest/variable?name").await.1.starts_with("Error::Undefined("));
    assert!(host.get("/guest/variable?Bad").await.1.starts_with("Error::InvalidName("));
}

#[tokio::test]
async fn the_environment_of_a_guest_is_what_the_manifest_says() {
    let host = Host::start(&manifest(MORE, REST));
    assert_eq!(host.get("/guest/environment").await.1, "PLACE=here\n");
}
