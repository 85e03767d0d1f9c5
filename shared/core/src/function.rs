//! The choices that a function (a template) makes.

use crate::access::{Identity, Right, Rights};
use crate::channel::{ChannelName, NameShape};
use crate::http::PAGE_POLICY;
use crate::policy::Policy;
use crate::settings::Settings;

/// A file served from memory: the demo page and the files that it loads.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Path below the function's base: empty for the page itself, `-/name` for a file that it
    /// loads. No channel can have such a name. A service worker is a file `-/…-worker.js`: it may
    /// control the page, which lies above it.
    pub path: &'static str,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// The file.
    pub body: &'static str,
}

/// An address of a function's own for each channel, `-/name/channel`, implemented in the function's
/// own code.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its name. It must be neither ours (`presence`, `push`, `revoke`, `stats`, `tenant`) nor the
    /// beginning of an asset's path.
    pub name: &'static str,
    /// The one method that it allows, in upper case.
    pub method: &'static str,
    /// The rights in the channel that it demands, all of them.
    pub rights: &'static [Right],
}

/// The choices of one use case. Implemented in a function's `lib.rs`, without state: settings are
/// passed in.
pub trait Function {
    /// Name of the use case: functions that share a store keep their channels under it. After a
    /// release it must never change.
    const NAME: &'static str;

    /// Whether channel names have one segment or several.
    const CHANNEL_NAMES: NameShape = NameShape::Segment;

    /// Files of the function.
    const ASSETS: &'static [Asset] = &[];

    /// What its pages may load and run, as the value of `Content-Security-Policy`. A page that uses
    /// a script or a font of another site must list it here.
    const PAGE_POLICY: &'static str = PAGE_POLICY;

    /// The function's own addresses. The adapters' `serve_routes` take the one function that carries
    /// out a [`Call`](crate::Call) at them.
    const ROUTES: &'static [Route] = &[];

    /// Whether its policy may have [Web Push](crate::Policy::with_push). Without it a build has none
    /// of the code for it, and its addresses do not exist.
    const WEB_PUSH: bool = false;

    /// Creation, retention and limits of its channels.
    fn policy(settings: &Settings) -> Policy;

    /// The rights of an identity in a channel. A copier changes this first.
    fn authorize(identity: &Identity, channel: &ChannelName, settings: &Settings) -> Rights;
}

/// The rules for one channel: [`Policy::demo`] for channels under `demo-`, which anyone may use,
/// unless every channel is open.
pub fn policy_of<F: Function>(channel: Option<&ChannelName>, settings: &Settings) -> Policy {
    let policy = F::policy(settings);
    if channel.is_some_and(ChannelName::is_demo) && !settings.open_access {
        policy.demo()
    } else {
        policy
    }
}
