use http::{Method, StatusCode};
use serde_json::json;

use crate::redis_server::{RedisServer, free_port};
use crate::support::{Host, manifest, send, soon, whole};

/// Any port, because the port of a server is known only when it runs.
const GRANT: &str = "allowed_outbound_hosts = [\"redis://127.0.0.1:*\"]";

/// The guest's report: a line for each of these lines.
async fn run(host: &Host, address: &str, lines: &[&str]) -> String {
    let (status, report) = host.post(&format!("/guest/redis?{address}"), &lines.join("\n")).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    report
}

#[tokio::test]
async fn each_function_does_its_command() {
    let server = RedisServer::start();
    let host = Host::start(&manifest(GRANT, ""));
    let lines = [
        "set greeting hi",
        "get greeting",
        "get absent",
        "incr count",
        "incr count",
        "sadd letters a b a",
        "sadd letters b c",
        "smembers letters",
        "srem letters a z",
        "smembers absent",
        "publish channel text",
        "del greeting count absent",
        "get greeting",
    ];
    let expected =
        "()\nSome([104, 105])\nNone\n1\n2\n2\n1\n[\"a\", \"b\", \"c\"]\n1\n[]\n()\n2\nNone\n";
    assert_eq!(run(&host, &server.address(""), &lines).await, expected);
    assert_eq!(host.counters().await["redis"], json!({ "open": 1, "commands": lines.len() }));
}

#[tokio::test]
async fn execute_takes_numbers_and_bytes_and_flattens_the_reply() {
    let server = RedisServer::start();
    let host = Host::start(&manifest(GRANT, ""));
    let lines = [
        "execute PING",
        "execute SET bytes 0x00ff0d0a",
        "get bytes",
        "execute RPUSH list #-7 0x00 text",
        "execute LRANGE list #0 #-1",
        "execute LRANGE absent #0 #-1",
        "execute GET absent",
        "execute EVAL return{1,{'a',{false,2.9}},{ok='fine'}} #0",
    ];
    let expected = r#"[RedisResult::Status("PONG")]
[RedisResult::Status("OK")]
Some([0, 255, 13, 10])
[RedisResult::Int64(3)]
[RedisResult::Binary([45, 55]), RedisResult::Binary([0]), RedisResult::Binary([116, 101, 120, 116])]
[]
[RedisResult::Nil]
[RedisResult::Int64(1), RedisResult::Binary([97]), RedisResult::Nil, RedisResult::Int64(2), RedisResult::Status("fine")]
"#;
    assert_eq!(run(&host, &server.address(""), &lines).await, expected);
}

/// Guests compare these texts. Spin has the same, from the same version of the crate `redis`.
#[tokio::test]
async fn an_error_of_the_server_is_a_text() {
    let server = RedisServer::start();
    let host = Host::start(&manifest(GRANT, ""));
    let lines = [
        "set text x",
        "incr text",
        "sadd text a",
        "del",
        "execute EVALSHA 0000000000000000000000000000000000000000 #0",
        "execute EVAL return(redis.error_reply('MINE\\32why')) #0",
        "execute EVAL return{1,redis.error_reply('MINE\\32why')} #0",
        "get text",
        "execute HELLO #3",
    ];
    let expected = r#"()
Error::Other("An error was signalled by the server - ResponseError: value is not an integer or out of range")
Error::Other("WRONGTYPE: Operation against a key holding the wrong kind of value")
Error::Other("An error was signalled by the server - ResponseError: wrong number of arguments for 'del' command")
Error::Other("An error was signalled by the server - NoScriptError: No matching script. Please use EVAL.")
Error::Other("MINE: why")
Error::Other("MINE: why")
Some([120])
Error::Other("Could not convert Redis response - TypeError: Redis Map type is not supported")
"#;
    assert_eq!(run(&host, &server.address(""), &lines).await, expected);
}

#[tokio::test]
async fn an_address_that_is_not_granted_is_invalid() {
    let server = RedisServer::start();
    let host = Host::start(&manifest(
        "allowed_outbound_hosts = [\"redis://127.0.0.1:{{ port }}\", \"http://127.0.0.1:*\", \"rediss://127.0.0.1:*\"]",
        &format!("[variables]\nport = {{ default = \"{}\" }}", server.port),
    ));
    let port = server.port;
    assert_eq!(run(&host, &server.address(""), &["incr count"]).await, "1\n");
    for address in [
        format!("redis://localhost:{port}"),
        format!("redis://127.0.0.2:{port}"),
        format!("redis://127.0.0.1:{}", port ^ 1),
        "redis://127.0.0.1".to_owned(),
        // Granted, but not an address of Redis; and TLS, which only Spin has.
        format!("http://127.0.0.1:{port}"),
        format!("rediss://127.0.0.1:{port}"),
        format!("127.0.0.1:{port}"),
        "nonsense".to_owned(),
    ] {
        let report = run(&host, &address, &["incr count"]).await;
        assert_eq!(report, "Error::InvalidAddress\n", "{address}");
    }
    assert_eq!(run(&host, &server.address(""), &["incr count"]).await, "2\n");
}

#[tokio::test]
async fn without_a_grant_no_address_is_valid() {
    let server = RedisServer::start();
    let host = Host::start(&manifest("", ""));
    assert_eq!(run(&host, &server.address(""), &["get a"]).await, "Error::InvalidAddress\n");
    assert_eq!(host.counters().await["redis"], json!({ "open": 0, "commands": 0 }));
}

#[tokio::test]
async fn an_address_has_a_password_and_a_database() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    let host = Host::start(&manifest(GRANT, ""));
    let second = format!("{}/2", server.address(":secret@"));
    assert_eq!(run(&host, &second, &["set key b"]).await, "()\n");
    assert_eq!(run(&host, &server.address(":secret@"), &["get key"]).await, "None\n");
    assert_eq!(run(&host, &second, &["get key"]).await, "Some([98])\n");
    let refused = run(&host, &server.address(":wrong@"), &["get key"]).await;
    assert!(refused.starts_with("Error::Other(") && !refused.contains("wrong@"), "{refused}");
}

#[tokio::test]
async fn a_server_that_is_away_is_another_error_at_once() {
    let host = Host::start(&manifest(GRANT, ""));
    let address = format!("redis://127.0.0.1:{}", free_port());
    let report = soon(run(&host, &address, &["get a"])).await;
    assert!(report.starts_with("Error::Other(\"Connection refused"), "{report}");
}

#[tokio::test]
async fn a_broken_connection_stays_broken_and_a_new_one_works() {
    let mut server = RedisServer::start();
    let mut host = Host::start(&manifest(GRANT, ""));
    let address = server.address("");
    let lines = ["set key a", "wait", "get key", "get key", "reopen", "get key", "set key b"];
    let path = format!("/guest/redis?{address}");
    let sending = {
        let (host, lines) = (host.address, lines.join("\n"));
        tokio::spawn(async move { whole(send(host, Method::POST, &path, &lines).await).await })
    };
    while soon(host.stdout.recv()).await.expect("a line") != "[guest] waiting" {}
    server.restart();
    host.get("/guest/release").await;
    let (status, report) = soon(sending).await.expect("an answer");
    assert_eq!(status, StatusCode::OK, "{report}");
    let lines: Vec<_> = report.lines().collect();
    assert_eq!(lines[..2], ["()", "released"], "{report}");
    assert!(lines[2..4].iter().all(|line| line.starts_with("Error::Other(")), "{report}");
    assert_eq!(lines[4..], ["open", "None", "()"], "{report}");
}

#[tokio::test]
async fn a_dropped_connection_leaves_no_blocked_command() {
    let server = RedisServer::start();
    let host = Host::start(&manifest(GRANT, ""));
    let address = server.address("");
    assert_eq!(run(&host, &address, &["abandon"]).await, "abandoned\n");
    let is_free =
        "execute EVAL return(redis.call('INFO','clients'):match('blocked_clients:%d+')) #0";
    let free = format!("[RedisResult::Binary({:?})]\n", b"blocked_clients:0");
    soon(async { while run(&host, &address, &[is_free]).await != free {} }).await;
}

#[tokio::test]
async fn an_instance_holds_1024_connections() {
    let server = RedisServer::start();
    let host = Host::start(&manifest(GRANT, ""));
    // The guest holds one itself, and lets all others go before its next line.
    assert_eq!(
        run(&host, &server.address(""), &["fill", "reopen", "fill"]).await,
        "1023 open, then Error::TooManyConnections\nopen\n1023 open, then Error::TooManyConnections\n"
    );
}
