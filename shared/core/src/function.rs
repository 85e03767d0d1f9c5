//! What a function (a template) supplies.

use crate::access::{Identity, Right, Rights};
use crate::channel::{ChannelName, NameShape};
use crate::http::PAGE_POLICY;
use crate::policy::Policy;
use crate::settings::Settings;

/// A file served from memory: the demo page and what it loads.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Path below the function's base: empty for the page itself, `-/name` for what it loads, which no channel can be called.
    pub path: &'static str,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// The file.
    pub body: &'static str,
}

/// An address of a function's own beside each channel, `-/name/channel`, carried out in the function's own code.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its name. None of ours (`presence`, `revoke`, `stats`, `tenant`), nor the beginning of an asset's path.
    pub name: &'static str,
    /// The one method that it takes, in upper case.
    pub method: &'static str,
    /// The rights that it takes in the channel, all of them.
    pub rights: &'static [Right],
}

/// The choices of one use case. Implemented in a function's `lib.rs`, without state: settings come in.
pub trait Function {
    /// Name of the use case: what its channels are stored under where functions share a store. Never changes once released.
    const NAME: &'static str;

    /// Whether channel names have one segment or several.
    const CHANNEL_NAMES: NameShape = NameShape::Segment;

    /// Files of the function.
    const ASSETS: &'static [Asset] = &[];

    /// What its pages may load and run, as the value of `Content-Security-Policy`. One that uses a script or a font of another site names that here.
    const PAGE_POLICY: &'static str = PAGE_POLICY;

    /// Addresses of the function's own. The adapters' `serve_routes` carries them out.
    const ROUTES: &'static [Route] = &[];

    /// Creation, retention and limits of its channels.
    fn policy(settings: &Settings) -> Policy;

    /// Who may do what in a channel. The first thing a copier changes.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights;
}

/// The rules for one channel: for one under `demo-`, which anyone may use, [`Policy::demo`], unless every channel is open.
pub fn policy_of<F: Function>(channel: Option<&ChannelName>, settings: &Settings) -> Policy {
    let policy = F::policy(settings);
    if channel.is_some_and(ChannelName::is_demo) && !settings.open_access { policy.demo() } else { policy }
}
