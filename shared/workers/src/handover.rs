//! The messages between the Worker and the channel's object.
//!
//! The Worker parses a request once and passes it on in a header of a request that it makes itself:
//! no header of the client arrives there.

use serde::{Deserialize, Serialize};
use tidewire_core::{
    ChannelRequest, ContentType, Grant, Offset, Operation, Settings, Trace, Transport,
};
use worker::{Env, Error, Headers, Response, Result};

use crate::placement::{self, Body};
use crate::respond::{internal, make_headers};

/// Status of an answer that carries a socket.
pub(crate) const SWITCHING_PROTOCOLS: u16 = 101;

const REQUEST: &str = "tidewire-request";
const CONTENT_TYPE: &str = "tidewire-content-type";
const OFFSET: &str = "tidewire-offset";
const CURSOR: &str = "tidewire-cursor";
const BINDING: &str = "tidewire-binding";
const TASK: &str = "tidewire-task";
const SUBPROTOCOL: &str = "sec-websocket-protocol";

/// From the object to the Worker that holds a stream: more history exists; ask for it when this is
/// written.
pub(crate) const MORE: &str = "+";
/// From the Worker to the object: asks for the next page.
pub(crate) const NEXT_PAGE: &str = "next";

/// The stub of one channel, with the facts to pass on.
pub(crate) struct Handover<'a> {
    pub(crate) env: &'a Env,
    pub(crate) binding: &'a str,
    pub(crate) settings: &'a Settings,
    pub(crate) offers_subprotocol: bool,
}

impl Handover<'_> {
    /// Passes a request to its channel and returns the object's answer; with `trace` the object
    /// logs refusals and the end of the connection.
    ///
    /// # Errors
    ///
    /// Those of [`placement::call`].
    pub(crate) async fn send(
        &self,
        request: &ChannelRequest,
        body: Body<'_>,
        trace: Option<&Trace>,
    ) -> Result<Response, tidewire_core::Error> {
        let asked = serde_json::to_string(&(&request.operation, &request.grant, trace))
            .map_err(|cause| internal(&cause.into()))?;
        let asked = ascii(&asked);
        let mut headers = vec![(REQUEST, asked.as_str()), (BINDING, self.binding)];
        if matches!(&request.operation, Operation::Read(read) if read.transport != Transport::Poll)
        {
            headers.push(("upgrade", "websocket"));
        }
        if self.offers_subprotocol {
            headers.push((SUBPROTOCOL, tidewire_core::SUBPROTOCOL));
        }
        let name = request.channel.as_str();
        placement::call(self.env, self.binding, self.settings, name, &headers, body).await
    }

    /// Gives an object of the namespace a task and returns the status of its answer.
    pub(crate) async fn task(&self, object: &str, task: &Task) -> Result<u16> {
        let task = serde_json::to_string(task)?;
        let headers = [(TASK, task.as_str()), (BINDING, self.binding)];
        let body = Body::Bytes(&[]);
        let answer =
            placement::call(self.env, self.binding, self.settings, object, &headers, body).await;
        let status = answer.map_err(|error| Error::RustError(error.to_string()))?.status_code();
        if status >= 300 {
            return Err(Error::RustError(format!("{object} answered a task with {status}")));
        }
        Ok(status)
    }
}

/// JSON as ASCII: the platform may read other characters in a header, such as those of a token's
/// subject, differently.
fn ascii(json: &str) -> String {
    let mut units = [0; 2];
    json.chars().fold(String::with_capacity(json.len()), |mut out, character| {
        match character {
            ' '..='~' => out.push(character),
            // Only within strings, where JSON allows the escape.
            _ => character
                .encode_utf16(&mut units)
                .iter()
                .for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
        }
        out
    })
}

/// The tasks of objects for their tenant.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// To the tenant's own object: a channel is about to be created.
    Register(String),
    /// To the tenant's own object: erase channels.
    Erase,
    /// To a channel: remove everything, whatever its state.
    Vanish,
}

/// Name of the object that lists a tenant's channels, given the prefix of their names. No channel's
/// name begins with `-`.
pub(crate) fn tenant_object(beginning: &str) -> String {
    format!("-tenant:{beginning}")
}

/// The task of a request that has no operation.
pub(crate) fn task(headers: &Headers) -> Result<Task> {
    let text = headers.get(TASK)?.ok_or_else(|| {
        Error::RustError(
            "a request without an operation: this object is called by its Worker only".into(),
        )
    })?;
    Ok(serde_json::from_str(&text)?)
}

/// Whether the client offers our subprotocol.
pub(crate) fn offers_subprotocol(headers: &Headers) -> Result<bool> {
    Ok(headers.get(SUBPROTOCOL)?.is_some())
}

/// Name of the binding by which the object is called, so that it can call others.
pub(crate) fn binding(headers: &Headers) -> Result<String> {
    Ok(headers.get(BINDING)?.unwrap_or_default())
}

/// The operation from the Worker, the grant of its client, and the facts for the log; `None` if the
/// request is a task.
pub(crate) fn operation(headers: &Headers) -> Result<Option<(Operation, Grant, Option<Trace>)>> {
    headers.get(REQUEST)?.map(|text| serde_json::from_str(&text).map_err(Error::from)).transpose()
}

/// The facts that the Worker needs about a reader that the object keeps.
pub(crate) struct Subscribed {
    pub(crate) content_type: ContentType,
    pub(crate) offset: Offset,
    pub(crate) cursor: u64,
}

impl Subscribed {
    pub(crate) fn write(&self) -> Headers {
        make_headers(&[
            (CONTENT_TYPE, self.content_type.as_str()),
            (OFFSET, &self.offset.to_string()),
            (CURSOR, &self.cursor.to_string()),
        ])
    }

    pub(crate) fn read(headers: &Headers) -> Result<Subscribed> {
        let get = |name| Ok::<_, Error>(headers.get(name)?.unwrap_or_default());
        let missing =
            || Error::RustError("the object's answer to an upgrade lacks a header".into());
        Ok(Subscribed {
            content_type: ContentType::parse(&get(CONTENT_TYPE)?).ok_or_else(missing)?,
            offset: get(OFFSET)?.parse().map_err(|_| missing())?,
            cursor: get(CURSOR)?.parse().map_err(|_| missing())?,
        })
    }
}
