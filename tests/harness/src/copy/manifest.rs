//! The manifests and the module list of a copy.
//!
//! A template is a live crate and therefore has no placeholders: a copy replaces its names and
//! paths. A text that is not where the code expects it is an error; the code never skips it.

use anyhow::{Context, Result, bail};

use super::name::Name;
use super::template::Template;
use crate::platform::{Choice, Platform};

/// How a template marks the module of one platform.
const GATES: [(Platform, &str, &str); 2] = [
    (
        Platform::Workers,
        "cfg(all(target_arch = \"wasm32\", target_os = \"unknown\"))",
        "pub mod workers;",
    ),
    (Platform::Spin, "cfg(target_os = \"wasi\")", "mod spin;"),
];

/// The crates of signatures, each with a crate of `vendor` that needs it: Spin verifies tokens with
/// them, and Web Push signs.
const SIGNATURES: [(&str, &str); 3] =
    [("p256", "tidewire-spin"), ("num-bigint-dig", "tidewire-spin"), ("p256", "tidewire-push")];

/// `Cargo.toml`, with the profiles of our workspace.
pub fn cargo(
    text: &str,
    workspace: &str,
    template: &Template,
    name: &Name,
    choice: Choice,
) -> Result<String> {
    let mut paragraphs: Vec<String> = named(text, template, name)
        .split("\n\n")
        .map(|paragraph| paragraph.trim_end().to_owned())
        .collect();
    for (platform, gate, _) in GATES {
        let header = format!("[target.'{gate}'.dependencies]");
        let index = paragraphs
            .iter()
            .position(|paragraph| paragraph.starts_with(&header))
            .with_context(|| format!("Cargo.toml has no {header}"))?;
        if !choice.has(platform) {
            paragraphs.remove(index);
        }
    }
    for header in ["[profile.release]", "[profile.dev]"] {
        let profile = workspace
            .split("\n\n")
            .find(|paragraph| paragraph.contains(header))
            .with_context(|| format!("the workspace has no {header}"))?;
        paragraphs.push(profile.trim_end().to_owned());
    }
    // Only the profiles of crates that the copy has: cargo would warn about others.
    let manifest = paragraphs.join("\n\n");
    let needs = |package: &str| manifest.contains(&format!("\n{package} = "));
    let is_its_own = |paragraph: &&str| {
        let package = paragraph
            .split_once("[profile.release.package.")
            .and_then(|(_, rest)| rest.split(']').next());
        package.is_some_and(|package| {
            needs(package) || SIGNATURES.iter().any(|(name, user)| *name == package && needs(user))
        })
    };
    paragraphs.extend(
        workspace.split("\n\n").filter(is_its_own).map(|paragraph| paragraph.trim_end().to_owned()),
    );
    paragraphs.push(
        "# Of its own, also inside another repository.\n[workspace]\nexclude = [\"vendor\"]\n"
            .to_owned(),
    );
    Ok(paragraphs.join("\n\n"))
}

/// `src/lib.rs`, without the module of a platform that the copy does not support.
pub fn modules(text: &str, choice: Choice) -> Result<String> {
    let mut text = text.to_owned();
    for (platform, gate, module) in GATES {
        if !choice.has(platform) {
            text = replaced(&text, &format!("#[{gate}]\n{module}\n"), "")?;
        }
    }
    Ok(text)
}

/// `wrangler.toml`. The Durable Object class keeps its name, because the name says where the data
/// is.
pub fn wrangler(text: &str, template: &Template, name: &Name) -> String {
    named(text, template, name)
}

/// `spin.toml`, with the component named after the copy.
pub fn spin(text: &str, template: &Template, name: &Name) -> Result<String> {
    let text = named(text, template, name);
    let text = replaced(
        &text,
        &format!("component = \"{}\"", template.name),
        &format!("component = \"{name}\""),
    )?;
    let text =
        replaced(&text, &format!("[component.{}", template.name), &format!("[component.{name}"))?;
    // A copy is its own workspace, so cargo builds into the folder that the manifest names.
    replaced(&text, " --target-dir target", "")
}

/// Replaces the template's name and paths by those of the copy.
pub fn named(text: &str, template: &Template, name: &Name) -> String {
    let package = template.package();
    text.replace(&package, &name.to_string())
        .replace(&package.replace('-', "_"), &name.snake_case())
        .replace("../../shared", "vendor")
        .replace("../../target", "target")
}

/// # Errors
/// When there is nothing to replace, because the template has changed.
fn replaced(text: &str, old: &str, new: &str) -> Result<String> {
    if !text.contains(old) {
        bail!("the template does not hold `{}`", old.trim());
    }
    Ok(text.replace(old, new))
}
