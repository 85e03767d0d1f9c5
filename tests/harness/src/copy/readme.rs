//! The README of a copy: that of its template, with the commands of a folder that stands alone.

use anyhow::{Context, Result};

use super::manifest;
use super::name::Name;
use super::template::Template;
use crate::platform::{Choice, Platform};

/// Begins the block that starts a template where it lies.
const COMMANDS: &str = "```sh\nnpx wrangler dev";
/// Stands in the paragraph about that place.
const PLACE: &str = "`shared/` beside `functions/`";

/// # Errors
/// When the template's README does not say how to start it where others say it.
pub fn readme(text: &str, template: &Template, name: &Name, choice: Choice) -> Result<String> {
    let title = format!("# {}: ", template.name);
    let text = text.strip_prefix(&title).with_context(|| format!("README.md does not begin with `{title}`"))?;
    let mut paragraphs: Vec<String> = manifest::named(text, template, name).split("\n\n").map(str::to_owned).collect();
    for (mark, new) in [(COMMANDS, commands(choice)), (PLACE, place(choice))] {
        let old = paragraphs.iter_mut().find(|paragraph| paragraph.contains(mark)).with_context(|| format!("README.md has no paragraph with `{mark}`"))?;
        *old = new;
    }
    let text = format!("# {name}: {}", paragraphs.join("\n\n"));
    // Where `spin up` listens.
    Ok(if choice.has(Platform::Workers) { text } else { text.replace("127.0.0.1:8787", "127.0.0.1:3000") })
}

fn commands(choice: Choice) -> String {
    let lines = match choice {
        Choice::Workers => vec![
            ("rustup target add wasm32-unknown-unknown", ""),
            ("npm install", "wrangler, as package.json pins it"),
            ("npm run dev", "serves on http://127.0.0.1:8787; the first time it installs worker-build and takes minutes"),
            ("npm test", "publishes and reads on each transport"),
            ("npm run deploy", "ships it to Cloudflare Workers"),
        ],
        Choice::Spin => vec![
            ("rustup target add wasm32-wasip2", ""),
            ("npm run dev", "Spin 4.1 or newer serves on http://127.0.0.1:3000"),
            ("npm test", "publishes and reads on each transport"),
            ("npm run deploy -- ghcr.io/you/app:1", "pushes the application for `spin up --from` elsewhere"),
        ],
        Choice::Both => vec![
            ("rustup target add wasm32-unknown-unknown wasm32-wasip2", ""),
            ("npm install", "wrangler, as package.json pins it"),
            ("npm run dev", "serves on http://127.0.0.1:8787; the first time it installs worker-build and takes minutes"),
            ("npm test", "publishes and reads on each transport"),
            ("npm run deploy", "ships it to Cloudflare Workers"),
            ("npm run dev:spin", "the same on Spin 4.1 or newer; then the port is 3000"),
            ("npm run test:spin", ""),
        ],
    };
    let line = |(command, comment): (&str, &str)| if comment.is_empty() { format!("{command}\n") } else { format!("{command:<37} # {comment}\n") };
    format!("```sh\n{}```", lines.into_iter().map(line).collect::<String>())
}

fn place(choice: Choice) -> String {
    let settings = match choice {
        Choice::Workers => "`.dev.vars` holds",
        Choice::Spin => "`.env` holds",
        Choice::Both => "`.dev.vars` and `.env` hold",
    };
    format!(
        "You need [rustup](https://rustup.rs) and Node 22.18 or newer. {settings} the key of this project's tickets, which open \
         channels other than those under `demo-`; git ignores {it} and nothing deployed has {it}: `npx wrangler secret put TICKET_KEYS` or `--variable ticket_keys=` sets one there. \
         A test of a server that runs already: `BASE_URL=http://… npm test`. \
         `node vendor/client/bin/tidewire --help` publishes, follows a channel, makes keys and mints tickets. What is in `vendor/` stays as it is: `cargo harness new --upgrade` in Tidewire's repository replaces it.",
        it = if choice == Choice::Both { "them" } else { "it" },
    )
}
