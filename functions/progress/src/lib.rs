//! Progress: jobs and uploads that any number of readers watch, and that end.
//!
//! This file holds the choices; `upload.rs` counts an upload, the rules are in `tidewire-core`, the
//! platforms in `workers.rs` and `spin.rs`.

use sha2::{Digest, Sha256};
use tidewire_core::{
    Asset, ChannelName, ContentType, Creation, Error, ErrorKind, Function, Identity, Policy, Rate,
    Result, Retention, Right, Rights, Route, Settings,
};

use crate::message::{JobState, Kind};
use crate::upload::{Body, Object};

pub mod message;
#[cfg(target_os = "wasi")]
mod spin;
pub mod upload;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod workers;

/// Events kept in a channel. Each is the whole state, so the newest alone would do. With a few more
/// a late reader can compute the speed, and a reader that was disconnected resumes without a gap.
const KEPT_EVENTS: u64 = 20;
/// How often a job may publish, at once or spread. The result is always stored: the rate does not
/// count the append that finishes the channel.
const RATE: Rate = Rate { events: 4, per_ms: 1_000 };
/// Time between two events of an upload, in milliseconds; it stays within the rate.
const INTERVAL_MS: u64 = 250;
/// Seconds after its last event or read at which a channel is removed; a job may set a shorter
/// time, as `Stream-TTL`.
const LIFE_S: u32 = 86_400;
/// Longest text in an event, in characters.
const MAX_TEXT_CHARS: usize = 200;

/// Jobs and uploads.
pub struct Progress;

impl Function for Progress {
    const NAME: &'static str = "progress";
    const ASSETS: &'static [Asset] = &[
        Asset {
            path: "",
            content_type: "text/html; charset=utf-8",
            body: include_str!("../public/index.html"),
        },
        Asset {
            path: "-/progress.css",
            content_type: "text/css; charset=utf-8",
            body: include_str!("../public/progress.css"),
        },
        Asset {
            path: "-/access.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/access.js"),
        },
        Asset {
            path: "-/figures.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/figures.js"),
        },
        Asset {
            path: "-/job.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/job.js"),
        },
        Asset {
            path: "-/progress.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/progress.js"),
        },
        Asset {
            path: "-/start.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/start.js"),
        },
        Asset {
            path: "-/watch.js",
            content_type: "text/javascript; charset=utf-8",
            body: include_str!("../public/watch.js"),
        },
    ];
    // An upload creates and finishes the channel, like the client that runs a job.
    const ROUTES: &'static [Route] =
        &[Route { name: "upload", method: "PUT", rights: &[Right::Publish, Right::Manage] }];

    fn policy(settings: &Settings) -> Policy {
        let policy = Policy::new(Creation::OnPublish(ContentType::json()), settings);
        Policy {
            check: |event, _, _| check(event).map(|()| event.into()),
            rate: Some(RATE),
            max_life_s: Some(LIFE_S),
            retention: Retention { max_events: KEPT_EVENTS, ..policy.retention },
            ..policy
        }
    }

    // Change this first: any signed-in user may watch any job. A client that runs a job or uploads
    // has a ticket with all three rights.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights {
        match identity {
            _ if settings.open_access || channel.is_demo() => {
                Right::Read | Right::Publish | Right::Manage
            }
            Identity::Token(_) => Right::Read.into(),
            Identity::Ticket(ticket) => ticket.granted(channel),
            Identity::Anonymous => Rights::NONE,
        }
    }
}

/// The destination of an upload. Reads the body chunk by chunk, never whole, and returns its
/// SHA-256 as hexadecimal digits; `object` is in the R2 bucket, on Workers with a bucket. If this
/// code is slow, the client is slowed down; an error ends the upload and appears in its last event.
async fn sink(body: &mut Body, mut object: Option<&mut Box<dyn Object>>) -> Result<String> {
    let mut hash = Sha256::new();
    while let Some(chunk) = body.next().await? {
        hash.update(&chunk);
        if let Some(object) = &mut object {
            object.write(&chunk).await?;
        }
    }
    if let Some(object) = object {
        object.finish().await?;
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// The rules for an event, the same on every transport and for the upload's own events.
fn check(event: &[u8]) -> Result<()> {
    let refused = |why: String| Error::new(ErrorKind::EventRefused, why);
    let event: JobState = serde_json::from_slice(event)
        .map_err(|error| refused(format!("the event is not the state of a job: {error}")))?;
    if (event.r#type == Kind::Failed) != event.reason.is_some() {
        return Err(refused(
            "an event must have a reason if its type is `failed`, and only then".into(),
        ));
    }
    let texts = [
        Some(&event.label),
        Some(&event.unit),
        event.reason.as_ref(),
        event.detail.as_ref(),
        event.sha256.as_ref(),
    ];
    if texts.into_iter().flatten().any(|text| text.chars().count() > MAX_TEXT_CHARS) {
        return Err(refused(format!("a text must have at most {MAX_TEXT_CHARS} characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_progress_and_nothing_else() {
        let event = r#"{"type":"progress","label":"a","value":1,"max":2,"unit":"","at":1}"#;
        assert!(check(event.as_bytes()).is_ok());
        assert!(
            check(
                event
                    .replace("progress", "failed")
                    .replace(r#""at":1"#, r#""at":1,"reason":"x""#)
                    .as_bytes()
            )
            .is_ok()
        );
        for (part, other) in [
            ("progress", "failed"),
            ("progress", "paused"),
            (r#""at":1"#, r#""at":1,"reason":"x""#),
            (r#""at":1"#, r#""at":1,"html":"<b>""#),
            (r#""value":1"#, r#""value":-1"#),
            (r#""value":1,"#, ""),
            (r#""label":"a""#, &format!(r#""label":"{}""#, "é".repeat(MAX_TEXT_CHARS + 1))),
        ] {
            assert_eq!(
                check(event.replace(part, other).as_bytes()).map_err(|error| error.kind()),
                Err(ErrorKind::EventRefused),
                "{other}"
            );
        }
    }
}
