//! Whether `openapi.json` describes an answer.

use serde_json::Value;

use crate::memory::{Answer, Ask};

/// Answers to methods that a channel does not take are not described.
///
/// # Errors
///
/// What the file lacks.
pub(crate) fn described(ask: &Ask, answer: &Answer) -> Result<(), String> {
    let method = ask.method.as_str();
    let file: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let path = ["/-/presence/{channel}", "/-/revoke/{channel}", "/-/stats/{channel}"]
        .into_iter()
        .find(|path| ask.path.contains(path.trim_end_matches("{channel}")))
        .unwrap_or("/{channel}");
    let Some(operation) = file["paths"][path].get(method.to_lowercase()) else { return Ok(()) };
    let response = operation["responses"]
        .get(answer.status.to_string())
        .ok_or("the status is not described")?;
    // Headers that every answer has, and those that belong to HTTP alone, are not listed for each.
    let is_ours = |name: &str| {
        ["stream-", "producer-"].iter().any(|prefix| name.starts_with(prefix))
            || ["allow", "etag", "location", "retry-after"].contains(&name)
    };
    for name in answer.headers.keys().filter(|name| is_ours(name)) {
        if !response["headers"]
            .as_object()
            .is_some_and(|headers| headers.keys().any(|known| known.eq_ignore_ascii_case(name)))
        {
            return Err(format!("the header {name} is not described"));
        }
    }
    // The platform takes the body off an answer to HEAD.
    if answer.body.is_empty() || method == "HEAD" {
        return Ok(());
    }
    let media = answer.headers["content-type"].split(';').next().unwrap_or_default();
    let content = response["content"]
        .get(media)
        .or_else(|| response["content"].get("*/*"))
        .ok_or_else(|| format!("{media} is not described"))?;
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if media == "application/problem+json"
        && !content["schema"]["allOf"][1]["properties"]["type"]["enum"]
            .as_array()
            .is_some_and(|types| types.contains(&problem["type"]))
    {
        return Err(format!("{} is not described", problem["type"]));
    }
    Ok(())
}
