//! Presence in a channel: members, each with its own state and a lease that it renews.
//!
//! Presence is not an event: it has no offset and no history. The next read finds an expired lease,
//! so an empty channel needs no timer.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::access::{Grant, Right};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Reply, json};
use crate::publish::depth;
use crate::settings::Settings;

/// Longest id of a member, in bytes.
pub(crate) const MAX_ID_BYTES: usize = 64;
/// Longest subject that can be the id of a member, in bytes: the limit of OpenID Connect Core 1.0,
/// section 2.
pub(crate) const MAX_SUBJECT_BYTES: usize = 255;
/// Longest state of a member, in bytes of JSON. A room of a hundred fits one frame, and one member
/// the attachment of a socket.
pub(crate) const MAX_STATE_BYTES: usize = 1_024;

/// The presence of a function's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// How long a member stays without renewing its lease, in milliseconds.
    pub lease_ms: u64,
    /// Most members of a channel; a further member is refused with [`ErrorKind::PresenceFull`].
    pub max_members: u64,
}

/// A member that is present, or has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The subject of its credential, at most 255 bytes, or the id that the client chose, 1 to 64
    /// bytes; every reader sees it.
    pub id: String,
    /// A JSON object, as the client wrote it; `None` if the member left.
    pub state: Option<String>,
}

/// A member and the end of its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The member.
    pub member: Member,
    /// When the lease expires, in milliseconds since 1970.
    pub until_ms: u64,
}

impl Presence {
    /// The limits from the settings.
    pub fn from_settings(settings: &Settings) -> Presence {
        Presence {
            lease_ms: settings.presence_lease_ms,
            max_members: settings.presence_max_members,
        }
    }

    /// Applies the update `said` to the members, which are sorted by id. Returns whether readers
    /// must be notified: renewing a lease is no change.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PresenceFull`]; nothing was changed.
    pub fn update(&self, present: &mut Vec<Member>, said: &Member) -> Result<bool> {
        match (present.binary_search_by(|member| member.id.cmp(&said.id)), &said.state) {
            (Ok(index), None) => {
                present.remove(index);
                Ok(true)
            }
            (Err(_), None) => Ok(false),
            (Ok(index), Some(_)) => Ok(present
                .get_mut(index)
                .is_some_and(|known| std::mem::replace(known, said.clone()) != *said)),
            (Err(_), Some(_)) if present.len() as u64 >= self.max_members => {
                let why =
                    format!("the channel has {} members, the most that it allows", present.len());
                Err(Error::later(ErrorKind::PresenceFull, why, self.lease_ms))
            }
            (Err(index), Some(_)) => {
                present.insert(index, said.clone());
                Ok(true)
            }
        }
    }
}

impl Member {
    /// The update that a client sends. Its `id` counts only if `grant` has no subject or has
    /// [`Right::Alias`]. Its state may be nested at most `max_json_depth` deep, like an event:
    /// every reader parses it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PresenceInvalid`] and [`ErrorKind::JsonTooDeep`].
    pub fn new(id: String, state: &RawValue, grant: &Grant, max_json_depth: u64) -> Result<Member> {
        let invalid = |why: String| Err(Error::new(ErrorKind::PresenceInvalid, why));
        if !(1..=MAX_ID_BYTES).contains(&id.len()) {
            return invalid(format!("the id of a member must have 1 to {MAX_ID_BYTES} bytes"));
        }
        let id = match &grant.subject {
            Some(_) if grant.rights.allow(Right::Alias) => id,
            Some(subject) if subject.len() > MAX_SUBJECT_BYTES => {
                return invalid(format!(
                    "the subject of the credential must have at most {MAX_SUBJECT_BYTES} bytes to be the id of a member"
                ));
            }
            Some(subject) => subject.clone(),
            None => id,
        };
        match state.get() {
            "null" => Ok(Member { id, state: None }),
            state if state.len() > MAX_STATE_BYTES => invalid(format!(
                "a state must have at most {MAX_STATE_BYTES} bytes, this one has {}",
                state.len()
            )),
            state if state.starts_with('{') => {
                depth::check(state.as_bytes(), max_json_depth)?;
                Ok(Member { id, state: Some(state.into()) })
            }
            _ => invalid("a state must be an object, or null if the member leaves".into()),
        }
    }

    /// Reads `{"id":"…","state":{…}}`, whatever its content type: a closing page can send it only
    /// as text.
    pub(crate) fn parse(body: &[u8], grant: &Grant, max_json_depth: u64) -> Result<Member> {
        #[derive(Deserialize)]
        struct Said<'a> {
            id: String,
            #[serde(borrow)]
            state: &'a RawValue,
        }
        let said: Said<'_> = serde_json::from_slice(body).map_err(|error| {
            Error::new(
                ErrorKind::PresenceInvalid,
                format!("the presence body is not valid: {error}"),
            )
        })?;
        Member::new(said.id, said.state, grant, max_json_depth)
    }

    /// The member as having left.
    pub fn gone(&self) -> Member {
        Member { id: self.id.clone(), state: None }
    }
}

/// The members whose lease has not expired, sorted by id.
pub fn members_at(leases: &[Lease], now_ms: u64) -> Vec<Member> {
    let mut present: Vec<_> = leases
        .iter()
        .filter(|lease| lease.until_ms > now_ms)
        .map(|lease| lease.member.clone())
        .collect();
    present.sort_by(|a, b| a.id.cmp(&b.id));
    present
}

/// The changes that turn `before`, which readers have, into `after`; `farewell` is what they get of
/// a member that has left.
pub(crate) fn presence_changes(
    before: &[Member],
    after: &[Member],
    farewell: impl Fn(&Member) -> Member,
) -> Vec<Member> {
    let left = before
        .iter()
        .filter(|member| after.iter().all(|other| other.id != member.id))
        .map(farewell);
    left.chain(after.iter().filter(|member| !before.contains(member)).cloned()).collect()
}

/// The answer with the members.
pub fn presence_reply(present: &[Member]) -> Reply {
    json(format!("{{{}}}", members_json(present)))
}

/// The field `"members"` of an object. States are JSON already and are not parsed again.
pub(crate) fn members_json(members: &[Member]) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|Member { id, state }| {
            format!(
                r#"{{"id":{},"state":{}}}"#,
                serde_json::Value::from(id.as_str()),
                state.as_deref().unwrap_or("null")
            )
        })
        .collect();
    format!(r#""members":[{}]"#, members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Rights;

    const TWO: Presence = Presence { lease_ms: 45_000, max_members: 2 };

    fn member(id: &str, state: &str) -> Member {
        Member { id: id.into(), state: Some(state.into()) }
    }

    fn parse(body: &str) -> Result<Member, ErrorKind> {
        Member::parse(body.as_bytes(), &Grant::default(), 64).map_err(|error| error.kind())
    }

    #[test]
    fn reads_what_a_client_says_of_itself() {
        assert_eq!(
            parse(r#" {"id":"a","state": {"name": "Ann"} ,"more":1}"#),
            Ok(member("a", r#"{"name": "Ann"}"#))
        );
        assert_eq!(parse(r#"{"id":"a","state":null}"#), Ok(Member { id: "a".into(), state: None }));
        assert!(
            parse(&format!(
                r#"{{"id":"{}","state":{{"a":"{}"}}}}"#,
                "i".repeat(64),
                "s".repeat(1_016)
            ))
            .is_ok()
        );
    }

    #[test]
    fn who_has_a_subject_is_present_as_the_subject() {
        let said = |subject: &str, rights: Rights| {
            let grant = Grant { rights, subject: Some(subject.into()), ..Grant::default() };
            Member::parse(br#"{"id":"ben","state":{}}"#, &grant, 64)
                .map(|member| member.id)
                .map_err(|error| error.kind())
        };
        let presence = Right::Presence.into();
        assert_eq!(said("ann", presence), Ok("ann".into()));
        assert_eq!(said("ann", presence | Right::Alias), Ok("ben".into()));
        assert_eq!(said(&"é".repeat(127), presence), Ok("é".repeat(127)));
        assert_eq!(said(&"é".repeat(128), presence), Err(ErrorKind::PresenceInvalid));
    }

    #[test]
    fn refuses_what_is_nobodys_presence() {
        for bad in [
            "",
            "{",
            "[]",
            r#"{"id":"a"}"#,
            r#"{"state":{}}"#,
            r#"{"id":"","state":{}}"#,
            r#"{"id":1,"state":{}}"#,
            r#"{"id":"a","state":[]}"#,
            r#"{"id":"a","state":"{"}"#,
        ] {
            assert_eq!(parse(bad), Err(ErrorKind::PresenceInvalid), "{bad}");
        }
        assert_eq!(
            parse(&format!(r#"{{"id":"a","state":{{"a":"{}"}}}}"#, "s".repeat(1_017))),
            Err(ErrorKind::PresenceInvalid)
        );
        assert_eq!(
            parse(&format!(r#"{{"id":"{}","state":{{}}}}"#, "i".repeat(65))),
            Err(ErrorKind::PresenceInvalid)
        );
    }

    #[test]
    fn a_state_is_nested_no_deeper_than_an_event() {
        let nested = |levels: usize| {
            format!(r#"{{"id":"a","state":{{"a":{}{}}}}}"#, "[".repeat(levels), "]".repeat(levels))
        };
        assert!(parse(&nested(63)).is_ok());
        assert_eq!(parse(&nested(64)), Err(ErrorKind::JsonTooDeep));
    }

    #[test]
    fn tells_news_from_a_renewal() {
        let mut present = Vec::new();
        assert!(TWO.update(&mut present, &member("b", "{}")).unwrap());
        assert!(TWO.update(&mut present, &member("a", "{}")).unwrap());
        assert!(!TWO.update(&mut present, &member("a", "{}")).unwrap());
        assert!(TWO.update(&mut present, &member("a", r#"{"typing":true}"#)).unwrap());
        assert_eq!(present, [member("a", r#"{"typing":true}"#), member("b", "{}")]);
        let error = TWO.update(&mut present, &member("c", "{}")).unwrap_err();
        assert_eq!((error.kind(), error.retry_after_ms()), (ErrorKind::PresenceFull, Some(45_000)));
        assert!(!TWO.update(&mut present, &member("c", "{}").gone()).unwrap());
        assert!(TWO.update(&mut present, &member("a", "{}").gone()).unwrap());
        assert_eq!(present, [member("b", "{}")]);
    }

    #[test]
    fn leaves_out_whose_lease_is_over() {
        let lease = |id, until_ms| Lease { member: member(id, "{}"), until_ms };
        assert_eq!(
            members_at(&[lease("c", 11), lease("b", 10), lease("a", 12)], 10),
            [member("a", "{}"), member("c", "{}")]
        );
    }

    #[test]
    fn changes_lead_from_one_list_to_the_other() {
        let before = [member("a", "1"), member("b", "1"), member("c", "1")];
        let after = [member("b", "1"), member("c", "2"), member("d", "1")];
        assert_eq!(
            presence_changes(&before, &after, Member::gone),
            [member("a", "1").gone(), member("c", "2"), member("d", "1")]
        );
        assert_eq!(presence_changes(&after, &after, Member::gone), []);
    }

    #[test]
    fn an_id_cannot_leave_its_string() {
        assert_eq!(
            members_json(&[member("\"},{\n", "{}")]),
            r#""members":[{"id":"\"},{\n","state":{}}]"#
        );
    }
}
