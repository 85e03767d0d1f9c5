//! The naive room on Spin: a loop that reads the database for events since the last time.
//!
//! It begins with the next event. There is no WebSocket to broadcast over.

use std::time::Duration;

use spin_sdk::http::body::{IncomingBodyExt, stream};
use spin_sdk::http::{EmptyBody, HeaderValue, IntoResponse, Method, Request, Response, StatusCode};
use spin_sdk::sqlite::{Connection, Error, Value};
use spin_sdk::time::sleep;
use spin_sdk::wasip3::spawn;
use tidewire_spin::Answer;

use super::{HEADERS, MAX_EVENT_BYTES, frame};

/// The interval at which the channels of this application read the store.
const LOOK: Duration = Duration::from_millis(100);
/// Reads of one stream: five minutes.
const LOOKS: u32 = 3_000;
/// Reads between two comments. A reader that left is noticed only when something is written.
const HEARTBEAT: u32 = 150;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS naive_events (id INTEGER PRIMARY KEY AUTOINCREMENT, room TEXT NOT NULL, event TEXT NOT NULL)";
/// Nothing here must last.
const FORGET: &str =
    "DELETE FROM naive_events WHERE id <= (SELECT max(id) FROM naive_events) - 1000";

/// Stores an event, or streams new ones.
pub async fn serve(request: Request, room: &str) -> Answer {
    let room = Value::text(room);
    let answered =
        match (request.headers().contains_key("upgrade"), request.method() == Method::GET) {
            (true, _) => {
                return answer(StatusCode::NOT_IMPLEMENTED, EmptyBody::new()).into_response();
            }
            (_, true) => read(room).await,
            (_, false) => publish(request, room).await,
        };
    answered.unwrap_or_else(|cause| {
        eprintln!("the naive room failed: {cause}");
        answer(StatusCode::INTERNAL_SERVER_ERROR, EmptyBody::new()).into_response()
    })
}

async fn publish(request: Request, room: Value) -> Result<Answer, Error> {
    let body = request.into_body().bytes().await.unwrap_or_default();
    let event = String::from_utf8_lossy(&body);
    if event.len() > MAX_EVENT_BYTES {
        return Ok(answer(StatusCode::PAYLOAD_TOO_LARGE, EmptyBody::new()).into_response());
    }
    let database = Connection::open_default().await?;
    rows(&database, TABLE, vec![]).await?;
    rows(
        &database,
        "INSERT INTO naive_events (room, event) VALUES (?, ?)",
        vec![room, Value::text(event)],
    )
    .await?;
    rows(&database, FORGET, vec![]).await?;
    Ok(answer(StatusCode::NO_CONTENT, EmptyBody::new()).into_response())
}

async fn read(room: Value) -> Result<Answer, Error> {
    let database = Connection::open_default().await?;
    rows(&database, TABLE, vec![]).await?;
    let mut last = rows(&database, "SELECT coalesce(max(id), 0), '' FROM naive_events", vec![])
        .await?
        .first()
        .map_or(0, |row| row.0);
    let (mut sender, body) = stream::<String>();
    spawn(async move {
        for look in 1..=LOOKS {
            let came = rows(
                &database,
                "SELECT id, event FROM naive_events WHERE room = ? AND id > ? ORDER BY id",
                vec![room.clone(), Value::Integer(last)],
            );
            let Ok(events) = came.await else { return };
            for (id, event) in events {
                last = id;
                if sender.try_send(frame(&event)).is_err() {
                    return;
                }
            }
            if look % HEARTBEAT == 0 && sender.try_send(":\n\n".into()).is_err() {
                return;
            }
            sleep(LOOK).await;
        }
    });
    let mut response = answer(StatusCode::OK, body);
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
    Ok(response.into_response())
}

fn answer<B>(status: StatusCode, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn rows(
    database: &Connection,
    statement: &str,
    values: Vec<Value>,
) -> Result<Vec<(i64, String)>, Error> {
    let rows = database.execute(statement, values).await?.collect().await?;
    Ok(rows.iter().filter_map(|row| Some((row.get(0)?, row.get::<&str>(1)?.into()))).collect())
}
