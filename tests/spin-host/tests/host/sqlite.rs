use http::StatusCode;

use crate::support::{Folder, Host, manifest};

const GRANT: &str = "sqlite_databases = [\"default\"]";
const LOG: &str = "CREATE TABLE log (position INTEGER PRIMARY KEY, writer TEXT)";

#[tokio::test]
async fn statements_give_columns_rows_and_an_outcome() {
    let host = Host::start(&manifest(GRANT, ""));
    let statements = [
        LOG,
        "INSERT INTO log VALUES (7, 'a'), (8, NULL) RETURNING position",
        "SELECT position, writer, 1.5 AS real, x'00ff' AS blob FROM log ORDER BY position",
        "INSERT INTO log VALUES (7, 'again')",
        "nonsense",
    ];
    let (status, report) = host.post("/guest/sql", &statements.join("\n")).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    let expected = r#"columns 
ok, 0 changed, last row 0
columns position
row [Value::Integer(7)]
row [Value::Integer(8)]
ok, 2 changed, last row 8
columns position,writer,real,blob
row [Value::Integer(7), Value::Text("a"), Value::Real(1.5), Value::Blob([0, 255])]
row [Value::Integer(8), Value::Null, Value::Real(1.5), Value::Blob([0, 255])]
ok, 2 changed, last row 8
columns 
Error::Io("UNIQUE constraint failed: log.position")
columns 
Error::Io("near \"nonsense\": syntax error in nonsense at offset 0")
"#;
    assert_eq!(report, expected);
    let counted = host.counters().await["sqlite"].clone();
    assert_eq!(
        counted,
        serde_json::json!({ "open": 1, "execute_read": 1, "execute_write": 3, "execute_other": 0 })
    );
}

#[tokio::test]
async fn the_synchronous_forms_do_the_same() {
    let host = Host::start(&manifest(GRANT, ""));
    let (status, report) = host.get("/guest/sync").await;
    let expected = r#"5 1 ["position", "writer"] [Value::Integer(5), Value::Text("sync")]
Error::Io("near \"nonsense\": syntax error in nonsense at offset 0")
"#;
    assert_eq!((status, report.as_str()), (StatusCode::OK, expected));
}

#[tokio::test]
async fn a_long_result_arrives_whole() {
    let host = Host::start(&manifest(GRANT, ""));
    let statement = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n";
    let (_, report) = host.post("/guest/sql", statement).await;
    assert_eq!(report.lines().count(), 10_002);
    assert!(
        report.ends_with("row [Value::Integer(10000)]\nok, 0 changed, last row 0\n"),
        "{report}"
    );
}

#[tokio::test]
async fn without_the_grant_access_is_denied() {
    let host = Host::start(&manifest("", ""));
    assert_eq!(
        host.get("/guest/database?default").await,
        (StatusCode::BAD_REQUEST, "Error::AccessDenied".to_owned())
    );
    let host = Host::start(&manifest(GRANT, ""));
    assert_eq!(host.get("/guest/database?default").await, (StatusCode::OK, "open".to_owned()));
    assert_eq!(
        host.get("/guest/database?other").await,
        (StatusCode::BAD_REQUEST, "Error::AccessDenied".to_owned())
    );
}

#[tokio::test]
async fn many_writers_wait_for_each_other() {
    let host = Host::start(&manifest(GRANT, ""));
    host.post("/guest/sql", &format!("{LOG}\nPRAGMA journal_mode=WAL")).await;
    let paths: Vec<_> = (0..40).map(|writer| format!("/guest/insert?{writer}")).collect();
    for answer in futures::future::join_all(paths.iter().map(|path| host.get(path))).await {
        assert_eq!(answer, (StatusCode::OK, "ok".to_owned()));
    }
    let (_, report) = host
        .post("/guest/sql", "SELECT count(*), max(position), count(DISTINCT writer) FROM log")
        .await;
    assert!(
        report.contains("row [Value::Integer(40), Value::Integer(39), Value::Integer(40)]"),
        "{report}"
    );
}

#[tokio::test]
async fn what_was_committed_outlives_the_host() {
    let folder = Folder::new();
    let host = Host::start_in(&folder, &manifest(GRANT, ""), &[], &[]);
    host.post("/guest/sql", &format!("{LOG}\nINSERT INTO log VALUES (1, 'before')")).await;
    drop(host);
    let host = Host::start_in(&folder, &manifest(GRANT, ""), &[], &[]);
    let (_, report) = host.post("/guest/sql", "SELECT writer FROM log").await;
    assert!(report.contains("before"), "{report}");
}
