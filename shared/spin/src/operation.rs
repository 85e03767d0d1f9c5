//! An operation on a channel, from the body of its request to the answer.

use std::rc::Rc;

use tidewire_core::{
    Change, ChannelRequest, Error, ErrorKind, LocalFuture, Offset, Operation, Policy,
    PushOperation, Pushing, Read, Reply, Result, Scope, Settings, SnapshotDecision, SnapshotRead,
    Trace, decide_announce, decide_head, decide_revoke, decide_stats, decide_versions,
};

use crate::access::check_access;
use crate::activity::{count, counted, instance};
use crate::body::{Body, read_body};
use crate::change::{carry_out, members};
use crate::clock::now_ms;
use crate::compact::{version, versions};
use crate::document::DocumentCode;
use crate::push::{Pusher, absent};
use crate::read::{kept, read_channel};
use crate::reader::Reading;
use crate::respond::{Outgoing, respond};
use crate::store::{ChannelStore, Look, Store};

/// A request to a channel. Its rights are checked, except whether they have ended.
pub(crate) struct Operating<'a> {
    pub(crate) function: &'static str,
    pub(crate) asked: ChannelRequest,
    pub(crate) policy: Policy,
    pub(crate) store: ChannelStore,
    pub(crate) settings: Rc<Settings>,
    pub(crate) trace: &'a Trace,
    /// The code of Web Push, if the function has it.
    pub(crate) pusher: Option<Pusher>,
    /// The code of shared documents, if the function has them.
    pub(crate) document_code: Option<DocumentCode>,
}

impl<'a> Operating<'a> {
    /// Carries out the operation and answers.
    pub(crate) fn answer(self, body: Body) -> LocalFuture<'a, Result<Outgoing>> {
        Box::pin(async move {
            let bytes = if self.asked.operation.has_body() {
                read_body(body, self.settings.max_body_bytes).await?
            } else {
                Vec::new()
            };
            let push = self.pusher.zip(self.policy.push.as_ref());
            if let Some((pusher, push)) = push.filter(|(_, push)| push.is_on()) {
                (pusher.sweep)(&self.store, push);
            }
            let reply = match &self.asked.operation {
                Operation::Read(read) => return self.read(read).await,
                Operation::Change(change) => {
                    let reply = self.change(change, &bytes).await?;
                    if let Some((pusher, push)) = push.filter(|(_, push)| push.is_on()) {
                        (pusher.deliver_later)(&self.store, push);
                    }
                    reply
                }
                Operation::Versions => self.versions().await?,
                Operation::Version { at } => self.version(*at).await?,
                Operation::Head => decide_head(self.admitted().await?.channel(), &self.policy)?,
                Operation::Members => {
                    self.admitted().await?;
                    members(&self.store, self.policy.presence()?, None).await?
                }
                Operation::Announce => {
                    self.admitted().await?;
                    let (presence, said) =
                        decide_announce(&bytes, &self.asked.grant, &self.policy)?;
                    members(&self.store, presence, Some(said)).await?
                }
                Operation::Awareness(asked) => {
                    let look = self.admitted().await?;
                    let code = self.document_code.ok_or_else(Error::no_documents)?;
                    (code.awareness)(&self.store, asked, &bytes, look.channel(), &self.policy)
                        .await?
                }
                Operation::Snapshot(asked) => self.snapshot(asked).await?,
                Operation::Revoke => {
                    self.admitted().await?;
                    let (revocation, reply) = decide_revoke(&bytes, now_ms())?;
                    self.store.put_revocation(&revocation).await?;
                    if let Some((pusher, push)) = push {
                        (pusher.revoke)(&self.store, push, &revocation).await?;
                    }
                    reply
                }
                Operation::Push(asked) => self.push(asked, &bytes, push).await?,
                Operation::Stats { is_text } => self.stats(*is_text).await?,
            };
            Ok(respond(reply))
        })
    }

    async fn change(&self, change: &Change, body: &[u8]) -> Result<Reply> {
        let Operating { asked, policy, store, .. } = self;
        let news = match self.document_code {
            Some(code) => (code.news)(store, change, body, policy).await?,
            None => body,
        };
        carry_out(store, change, &asked.grant, news, policy).await
    }

    async fn push(
        &self,
        asked: &PushOperation,
        body: &[u8],
        push: Option<(Pusher, &Pushing)>,
    ) -> Result<Reply> {
        self.admitted().await?;
        match push {
            Some((pusher, push)) => {
                (pusher.answer)(&self.store, push, asked, body, &self.asked.grant).await
            }
            None => Err(absent()),
        }
    }

    async fn read(&self, read: &Read) -> Result<Outgoing> {
        if read.transport.is_socket() {
            return Err(Error::new(
                ErrorKind::WebSocketUnsupported,
                "Spin does not support WebSockets: read this address as SSE (Accept: text/event-stream), publish with POST",
            ));
        }
        let Operating { asked, policy, store, settings, trace, .. } = self;
        let reading = Reading { store, grant: &asked.grant, trace, policy, settings };
        read_channel(read, &reading)
            .await
            .inspect_err(|error| count(store, |activity| activity.count_refused(None, error)))
    }

    /// The snapshot of a document.
    async fn snapshot(&self, asked: &SnapshotRead) -> Result<Reply> {
        let code = self.document_code.ok_or_else(Error::no_documents)?;
        match (code.snapshot)(asked, self.admitted().await?.channel(), &self.policy)? {
            SnapshotDecision::Reply(reply) => Ok(reply),
            SnapshotDecision::Version(at) => self.version(Some(at)).await,
        }
    }

    async fn stats(&self, is_text: bool) -> Result<Reply> {
        let look = kept(&self.store, &self.policy).await?;
        self.check_access(&look).await?;
        let stats = decide_stats(is_text, look.channel())?;
        let (channel, scope) = (self.asked.channel.as_str(), Scope::Instance(instance()));
        Ok(stats.reply(self.function, channel, scope, &counted(&self.store)))
    }

    async fn versions(&self) -> Result<Reply> {
        let look = self.admitted().await?;
        let versions = versions(&self.store, &look).await?;
        let sizes = match &look.stored {
            Some(stored) => self.store.sizes(stored, u32::MAX.into()).await?,
            None => Vec::new(),
        };
        decide_versions(look.channel(), &self.policy, &versions, &sizes)
    }

    async fn version(&self, at: Option<Offset>) -> Result<Reply> {
        let look = kept(&self.store, &self.policy).await?;
        self.check_access(&look).await?;
        version(&self.store, &look, at, &self.policy).await
    }

    /// The channel as it is, for a client that still has access to it.
    async fn admitted(&self) -> Result<Look> {
        let look = self.store.load().await?;
        self.check_access(&look).await?;
        Ok(look)
    }

    async fn check_access(&self, look: &Look) -> Result<()> {
        check_access(&self.store, None, look, &self.asked.grant).await
    }
}
